import { eventually } from '#testing';
import { bootApi, type BootedApi } from '../testing/boot-api';
import { RateLimit } from './rate-limit';

describe('the rate limit of client keys', () => {
  let api: BootedApi;
  let other: BootedApi;
  beforeAll(async () => {
    api = await bootApi();
    other = await bootApi({
      databaseUrl: api.running.engines.settings.databaseUrl!,
      env: { POSTLEDGER_API_KEY: api.key },
    });
  });
  afterAll(async () => {
    await other.close();
    await api.close();
  });

  const clientKey = async () =>
    ((await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'], kind: 'client' })).body as { key: string })
      .key;

  it('lets sixty a minute through, says so, and then 429 with the time to wait', async () => {
    const send = api.as(await clientKey());
    for (let left = 59; left >= 0; left--)
      expect(await send('GET', '/posts/pst_none')).toMatchObject({
        status: 404,
        headers: {
          'ratelimit-policy': '"client";q=60;w=60',
          ratelimit: expect.stringMatching(new RegExp(`^"client";r=${left};t=\\d+$`)),
          'ratelimit-limit': '60',
          'ratelimit-remaining': String(left),
          'ratelimit-reset': expect.stringMatching(/^\d+$/),
        },
      });
    const refused = await send('GET', '/posts/pst_none');
    expect(refused).toMatchObject({
      status: 429,
      body: { code: 'RATE_LIMITED' },
      headers: { 'retry-after': expect.stringMatching(/^\d+$/), 'ratelimit-remaining': '0' },
    });
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
  });

  it('counts for all processes together, sixty in all', async () => {
    const key = await clientKey();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => (index % 2 ? api : other).as(key)('GET', '/posts/pst_none')),
    );
    expect(answers.filter(({ status }) => status !== 429).length).toBeLessThanOrEqual(60);
    expect(answers.filter(({ status }) => status !== 429).length).toBeGreaterThanOrEqual(50);
  });

  it('gives the last one to one process alone, however many ask for it at the same moment', async () => {
    const { db } = api.running.engines;
    const caller = { workspace: api.workspace, keyId: 'key_last', kind: 'client', scopes: new Set<string>() } as const;
    const row = [caller.workspace, caller.keyId];
    await db.query(
      "insert into api.rate (workspace, key_id, window_start, used) values ($1, $2, now() - interval '30 s', 59)",
      row,
    );
    const taken: ReturnType<RateLimit['take']>[] = [];
    await db.tx(async (sql) => {
      await sql.query('select from api.rate where workspace = $1 and key_id = $2 for update', row);
      for (let n = 0; n < 3; n++) taken.push(new RateLimit(db).take(caller));
      await eventually(async () =>
        expect(
          await db.query(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
          ),
        ).toHaveLength(3),
      );
    });
    const all = await Promise.all(taken);
    expect(all.map(({ isAllowed }) => isAllowed).sort()).toEqual([false, false, true]);
    // The minute ends when it would have ended.
    for (const { resetSeconds } of all) expect(resetSeconds).toBeLessThanOrEqual(30);
  });

  it('counts a key of one workspace, and not the one of the same id in another', async () => {
    const limit = new RateLimit(api.running.engines.db, 1);
    const take = (workspace: string) =>
      limit
        .take({ workspace, keyId: 'key_same', kind: 'client', scopes: new Set() })
        .then(({ isAllowed }) => isAllowed);
    expect([await take('ws_1'), await take('ws_1'), await take('ws_2')]).toEqual([true, false, true]);
  });

  it('asks the database once for many requests, in no transaction, and not at all for what it refuses', async () => {
    const send = api.as(await clientKey());
    const { db } = api.running.engines;
    const [query, tx] = [jest.spyOn(db, 'query'), jest.spyOn(db, 'tx')];
    const texts = (pattern: RegExp) => query.mock.calls.filter(([text]) => pattern.test(text)).length;
    const asked = () => texts(/\bapi\.rate\b/);
    const began = performance.now();
    try {
      // Refused for their scope, so that nothing is asked of the database but how many there were.
      for (let n = 0; n < 60; n++) expect((await send('GET', '/webhooks/contracts')).status).toBe(403);
      const forSixty = asked();
      expect(forSixty).toBeLessThanOrEqual(24);
      for (let n = 0; n < 20; n++) expect((await send('GET', '/webhooks/contracts')).status).toBe(429);
      expect(asked()).toBe(forSixty);
      expect(tx).not.toHaveBeenCalled();
      // The key was looked up, again only after five seconds or when keys had changed; nothing else was asked of the database.
      const fives = Math.ceil((performance.now() - began) / 5_000);
      expect(texts(/\bapi\.key\b/)).toBeLessThanOrEqual(3 + 2 * fives);
      expect(texts(/^(?!.*\bapi\.(rate|key)\b)/s)).toBe(0);
      for (let n = 0; n < 20; n++) await api.send('GET', '/webhooks/contracts');
      expect(asked()).toBe(forSixty);
    } finally {
      query.mockRestore();
      tx.mockRestore();
    }
  });

  it('begins anew when the minute is over', async () => {
    const key = await clientKey();
    const { db } = api.running.engines;
    for (let n = 0; n < 61; n++) await api.as(key)('GET', '/posts/pst_none');
    expect((await other.as(key)('GET', '/posts/pst_none')).status).toBe(429);
    await db.query("update api.rate set window_start = window_start - interval '61 seconds'");
    // A third process, which has not seen the old window, finds the new one.
    const third = await bootApi({
      databaseUrl: api.running.engines.settings.databaseUrl!,
      env: { POSTLEDGER_API_KEY: api.key },
    });
    expect(await third.as(key)('GET', '/posts/pst_none')).toMatchObject({
      status: 404,
      headers: { 'ratelimit-remaining': '59' },
    });
    await third.close();
    // Nor does the one that refused go by the old one any longer.
    const real = performance.now.bind(performance);
    const later = jest.spyOn(performance, 'now').mockImplementation(() => real() + 61_000);
    expect((await api.as(key)('GET', '/posts/pst_none')).status).toBe(404);
    later.mockRestore();
  });

  it('begins anew when the clock was set back, for whoever has the key in hand and for others', async () => {
    const { db } = api.running.engines;
    const caller = { workspace: api.workspace, keyId: 'key_back', kind: 'client', scopes: new Set<string>() } as const;
    const refusing = new RateLimit(db, 1);
    expect([(await refusing.take(caller)).isAllowed, (await refusing.take(caller)).isAllowed]).toEqual([true, false]);
    await db.query("update api.rate set window_start = window_start + interval '1 hour' where key_id = $1", [
      caller.keyId,
    ]);
    const back = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000);
    expect((await refusing.take(caller)).resetSeconds).toBeLessThanOrEqual(60);
    back.mockRestore();
    expect(await new RateLimit(db, 1).take(caller)).toMatchObject({ isAllowed: true, resetSeconds: 60 });
  });

  it('keeps no refusal under an Idempotency-Key', async () => {
    const issued = await api.send('POST', '/api-keys', { name: 'n', scopes: ['commands'], kind: 'client' });
    const begin = () =>
      api.as(issued.at('key'))('POST', '/campaigns', { name: 'c', profileId: 'p' }, { 'idempotency-key': 'limited' });
    const { db } = api.running.engines;
    await db.query('insert into api.rate (workspace, key_id, window_start, used) values ($1, $2, now(), 60)', [
      api.workspace,
      issued.at('id'),
    ]);
    expect((await begin()).status).toBe(429);
    const real = performance.now.bind(performance);
    const later = jest.spyOn(performance, 'now').mockImplementation(() => real() + 61_000);
    await db.query("update api.rate set window_start = window_start - interval '61 seconds'");
    expect(await begin()).toMatchObject({ status: 201, headers: { 'ratelimit-remaining': '59' } });
    later.mockRestore();
  });

  it('leaves service keys alone', async () => {
    const { headers } = await api.send('GET', '/posts/pst_none');
    expect(Object.keys(headers).filter((name) => name.startsWith('ratelimit'))).toEqual([]);
  });
});
