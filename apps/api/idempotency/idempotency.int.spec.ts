import { EventStoreUnavailableError } from '#event-store';
import { DAY, instant, plus } from '#kernel';
import { eventually } from '#testing';
import { bootApi, type BootedApi, type Send } from '../testing/boot-api';
import { IdempotencyStore, requestFingerprint } from './idempotency-store';

describe('the Idempotency-Key', () => {
  let api: BootedApi;
  let other: BootedApi;
  beforeAll(async () => {
    api = await bootApi({ views: true });
    other = await bootApi({
      databaseUrl: api.running.engines.settings.databaseUrl!,
      env: { POSTLEDGER_API_KEY: api.key },
    });
  });
  afterAll(async () => {
    await other.close();
    await api.close();
  });

  const account = { platform: 'instagram', username: 'n', profileId: 'prof_1' };
  const connect = (key: string, fields: object = {}, by = api) =>
    by.send('POST', '/accounts', { ...account, ...fields }, { 'idempotency-key': key });
  const events = async (category: string) =>
    (
      await api.running.engines.db.query<{ n: number }>(
        'select count(*)::int as n from log.event where stream like $1',
        [`${category}-${api.workspace}:%`],
      )
    )[0]!.n;

  it('gives the same answer, with its ETag, and has one effect', async () => {
    const first = await connect('same');
    const again = await connect('same');
    expect(first).toMatchObject({ status: 201, headers: { etag: '"0"' } });
    expect({ status: again.status, text: again.text, etag: again.headers['etag'] }).toEqual({
      status: 201,
      text: first.text,
      etag: '"0"',
    });
    expect(again.headers).toMatchObject({
      'idempotency-replayed': 'true',
      'content-type': first.headers['content-type'],
    });
  });

  it('gives the same answer to a deletion, which has no body', async () => {
    const { id } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as { id: string };
    const end = () => api.send('DELETE', `/api-keys/${id}`, undefined, { 'idempotency-key': `end ${id}` });
    const first = await end();
    const again = await end();
    expect(again).toMatchObject({ status: 204, text: '', headers: { 'idempotency-replayed': 'true', etag: '"1"' } });
    const names = ({ headers }: { headers: object }) =>
      Object.keys(headers).filter((name) => name.startsWith('content-'));
    expect([names(first), names(again)]).toEqual([[], []]);
  });

  it('takes another spelling of the same body for the same request, and another body, path or method for another', async () => {
    await connect('spelling');
    const spelt = await api.send(
      'POST',
      '/accounts',
      '{ "profileId":"prof_1","username":"\\u006e", "platform":"instagram"}',
      { 'idempotency-key': 'spelling' },
    );
    expect(spelt.status).toBe(201);
    expect(await connect('spelling', { username: 'm' })).toMatchObject({
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    });
    expect(
      await api.send('POST', '/accounts/acct_x/disconnect', { reason: 'x' }, { 'idempotency-key': 'spelling' }),
    ).toMatchObject({ status: 422 });
    const nowhere = (method: string) =>
      api.send(method, '/webhooks/endpoints/whe_none', undefined, { 'idempotency-key': 'method' });
    expect([await nowhere('DELETE'), await nowhere('PATCH')].map(({ status }) => status)).toEqual([404, 422]);
  });

  it('keeps refusals of ours, of the domain, and of the input', async () => {
    await connect('taken-1', { id: 'acct_taken' });
    const refused = await connect('taken-2', { id: 'acct_taken' });
    expect(refused).toMatchObject({ status: 409, body: { code: 'ACCOUNT_ALREADY_EXISTS' } });
    expect(await connect('taken-2', { id: 'acct_taken' })).toMatchObject({
      status: 409,
      headers: { 'idempotency-replayed': 'true', 'content-type': expect.stringContaining('problem+json') },
    });
    expect(await connect('bad', { platform: 5 })).toMatchObject({ status: 400 });
    expect(await connect('bad', { platform: 5 })).toMatchObject({
      status: 400,
      headers: { 'idempotency-replayed': 'true' },
    });
  });

  it('belongs to its workspace', async () => {
    const { apiKey } = (await api.send('POST', '/workspaces', { name: 'Other' })).body as { apiKey: string };
    const mine = await connect('shared-name');
    const theirs = await api.as(apiKey)(
      'POST',
      '/accounts',
      { ...account, username: 'they' },
      { 'idempotency-key': 'shared-name' },
    );
    expect(theirs.status).toBe(201);
    expect(theirs.at('id')).not.toBe(mine.at('id'));
  });

  it('has one effect when the same request comes twenty times at once, at two processes', async () => {
    const before = await events('account');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => connect('at-once', {}, index % 2 ? api : other)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await events('account')).toBe(before + 1);
  });

  it('shows a secret again to whoever repeats the request, and keeps it encrypted', async () => {
    const issue = () => api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] }, { 'idempotency-key': 'secret' });
    const first = await issue();
    expect(await issue()).toMatchObject({ status: 201, body: first.body });
    const rows = await api.running.engines.db.query<{ text: string }>(
      'select row_to_json(i)::text as text from api.idempotency i union all select row_to_json(k)::text from api.key k union all select row_to_json(e)::text from log.event e',
    );
    expect(rows.filter(({ text }) => text.includes(first.at('key')))).toEqual([]);
    const register = () =>
      api.send(
        'POST',
        '/webhooks/endpoints',
        { targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] },
        { 'idempotency-key': 'whe' },
      );
    const endpoint = await register();
    expect((await register()).text).toBe(endpoint.text);
  });

  /** What a process leaves behind that died at a point of its way: the reservation, with or without the effect. */
  async function dieAfter(
    point: 'reserving' | 'the effect',
    key: string,
    method: string,
    path: string,
    body: object,
    send = api.send,
  ) {
    if (point === 'the effect') {
      const { status } = await send(method, path, body, { 'idempotency-key': key });
      expect(status).toBeLessThan(300);
      await api.running.engines.db.query(
        "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = $1",
        [key],
      );
    } else
      await api.running.engines.db.query(
        "insert into api.idempotency (workspace, key, fingerprint, at, lease_until) values ($1, $2, $3, date_trunc('milliseconds', now() - interval '1 minute'), now() - interval '1 second')",
        [api.workspace, key, requestFingerprint(method, `/api/v1${path}`, body)],
      );
  }

  it('shows a key to nobody who could not have issued it', async () => {
    const issue = (send: Send) =>
      send('POST', '/api-keys', { name: 'n', scopes: ['operator'] }, { 'idempotency-key': 'of the operator' });
    const admin = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['admin'] })).at('key');
    expect(await issue(api.send)).toMatchObject({ status: 201 });
    expect(await issue(api.as(admin))).toMatchObject({
      status: 403,
      body: { code: 'SCOPE_MISSING', scope: 'operator' },
    });
  });

  it.each([
    ['an account', 'POST', '/accounts', account, 'account'],
    ['a key', 'POST', '/api-keys', { name: 'n', scopes: ['read'] }, 'api_key'],
    [
      'an endpoint',
      'POST',
      '/webhooks/endpoints',
      { targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] },
      'webhook_endpoint',
    ],
  ])('makes %s once, whatever point the process died at', async (_name, method, path, body, category) => {
    for (const point of ['reserving', 'the effect'] as const) {
      const key = `dies ${path} ${point}`;
      const before = await events(category);
      const lost = point === 'the effect' ? await api.send(method, path, body, { 'idempotency-key': key }) : undefined;
      if (lost)
        await api.running.engines.db.query(
          "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = $1",
          [key],
        );
      else await dieAfter(point, key, method, path, body);
      const answer = await other.send(method, path, body, { 'idempotency-key': key });
      expect(answer.status).toBe(201);
      if (lost) expect(answer.body).toEqual(lost.body);
      expect(await events(category)).toBe(before + 1);
      expect(await api.send(method, path, body, { 'idempotency-key': key })).toMatchObject({
        status: 201,
        body: answer.body,
      });
    }
  });

  it('finds its post again although its account has gone since', async () => {
    await connect('for-post', { id: 'acct_post' });
    const post = {
      profileId: 'p',
      content: { text: 'x' },
      destinations: [{ accountId: 'acct_post', platform: 'instagram' }],
    };
    const lost = await api.send('POST', '/posts', post, { 'idempotency-key': 'post' });
    await api.running.engines.db.query(
      "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = 'post'",
    );
    await api.send('POST', '/accounts/acct_post/disconnect', { reason: 'gone' });
    expect(await api.send('POST', '/posts', post, { 'idempotency-key': 'post' })).toMatchObject({
      status: 201,
      body: lost.body,
    });
  });

  it.each([
    ['a rotated secret', 'POST', '/rotate-secret', {}],
    ['a change', 'PATCH', '', { eventTypes: ['post.*'] }],
    ['a replay', 'POST', '/replay', { since: '2026-01-01T00:00:00Z' }],
    ['a disabling', 'POST', '/disable', {}],
    ['a deletion', 'DELETE', '', undefined],
  ])(
    'answers %s as it would have at first, although its endpoint has been deleted since',
    async (name, method, path, body) => {
      const id = `whe_${path.slice(1) || method}`;
      const register = { id, targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] };
      expect((await api.send('POST', '/webhooks/endpoints', register)).status).toBe(201);
      const ask = () => api.send(method, `/webhooks/endpoints/${id}${path}`, body, { 'idempotency-key': name });
      const lost = await ask();
      expect(lost.status).toBeLessThan(300);
      await api.running.engines.db.query(
        "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = $1",
        [name],
      );
      await api.send('DELETE', `/webhooks/endpoints/${id}`);
      const { status, text, headers } = await ask();
      expect({ status, text, etag: headers['etag'] }).toEqual({
        status: lost.status,
        text: lost.text,
        etag: lost.headers['etag'],
      });
    },
  );

  it.each([
    ['/campaigns', { name: 'Spring', profileId: 'p' }],
    ['/team/invitations', { email: 'a@example.com', role: 'viewer' }],
    ['/media', { kind: 'image' }],
    ['/operations', { kind: 'batch' }],
    ['/designs', { clientId: 'c' }],
  ])('answers POST %s with what was made at first, under its id', async (path, body) => {
    const make = () => api.send('POST', path, body, { 'idempotency-key': `made ${path}` });
    const lost = await make();
    expect(lost.status).toBe(201);
    await api.running.engines.db.query(
      "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = $1",
      [`made ${path}`],
    );
    expect(await make()).toMatchObject({ status: 201, body: lost.body, headers: { etag: lost.headers['etag'] } });
  });

  it('finds what it did to a thing of a stream with many, although If-Match has become stale by it', async () => {
    const member = '/team/members/usr_matched';
    await api.send('POST', '/team/invitations', { id: 'inv_matched', email: 'a@example.com', role: 'viewer' });
    await api.send('POST', '/team/invitations/inv_matched/accept', { userId: 'usr_matched' });
    const tag = (await api.send('GET', member)).headers['etag'];
    const ask = () =>
      api.send('POST', `${member}/role`, { role: 'admin' }, { 'idempotency-key': 'matched', 'if-match': tag });
    const lost = await ask();
    expect(lost.status).toBe(200);
    await api.running.engines.db.query(
      "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = 'matched'",
    );
    expect((await api.send('POST', `${member}/role`, { role: 'owner' })).status).toBe(200);
    expect(await ask()).toMatchObject({
      status: 200,
      body: lost.body,
      headers: { etag: lost.headers['etag'] },
    });
  });

  it('makes no key for somebody who was erased since', async () => {
    expect((await connect('for-erasure', { id: 'acct_erased' })).status).toBe(201);
    await api.running.engines.db.query(
      "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = 'for-erasure'",
    );
    expect((await api.send('POST', '/subjects/acct_erased/erase')).at('erased')).toBe(true);
    expect((await connect('for-erasure', { id: 'acct_erased' }, other)).status).toBe(201);
    expect((await api.send('GET', '/subjects/acct_erased')).at('erased')).toBe(true);
  });

  it('says nothing again of somebody who was erased since', async () => {
    const first = await connect('personal', { id: 'acct_personal' });
    expect(first.at('username')).toBe('n');
    await api.send('POST', '/subjects/acct_personal/erase');
    expect(await connect('personal', { id: 'acct_personal' })).toMatchObject({
      status: 201,
      body: { id: 'acct_personal', username: null, erased: true },
      headers: { 'idempotency-replayed': 'true' },
    });
  });

  it('waits for one that is still at work, and takes over when its lease ends', async () => {
    const { db } = api.running.engines;
    await dieAfter('reserving', 'slow', 'POST', '/accounts', account);
    await db.query("update api.idempotency set lease_until = now() + interval '700 milliseconds' where key = 'slow'");
    const waiting = connect('slow');
    await eventually(async () => expect((await waiting).status).toBe(201));
    const [row] = await db.query<{ epoch: number }>("select epoch from api.idempotency where key = 'slow'");
    expect(row!.epoch).toBe(2);
  });

  it('is taken over at once of one that died before the clock was set back', async () => {
    const { db } = api.running.engines;
    await dieAfter('reserving', 'ahead', 'POST', '/accounts', account);
    await db.query("update api.idempotency set lease_until = lease_until + interval '1 hour' where key = 'ahead'");
    expect((await connect('ahead')).status).toBe(201);
  });

  it('is of one request from the first moment, also when its holder died', async () => {
    await dieAfter('reserving', 'begun', 'POST', '/accounts', account);
    expect(await connect('begun', { username: 'm' })).toMatchObject({
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    });
    expect((await connect('begun')).status).toBe(201);
  });

  it('is answered when the answer is kept, and not before', async () => {
    const { db } = api.running.engines;
    const query = db.query.bind(db);
    let goOn = (): void => undefined;
    const held = new Promise<void>((go) => (goOn = go));
    let isKeeping = false;
    const spy = jest.spyOn(db, 'query').mockImplementation((async (text: string, params: unknown[]) => {
      if (text.startsWith('update api.idempotency set answer')) {
        isKeeping = true;
        await held;
      }
      return query(text, params);
    }) as never);
    let isAnswered = false;
    const answer = connect('durable').finally(() => (isAnswered = true));
    await eventually(() => isKeeping);
    // What is asked later is answered first.
    expect((await api.send('GET', '/accounts/acct_none')).status).toBe(404);
    expect(isAnswered).toBe(false);
    goOn();
    expect((await answer).status).toBe(201);
    spy.mockRestore();
  });

  it('is free again at once when the failure was ours', async () => {
    const { commands, db } = api.running.engines;
    const before = await events('account');
    jest.spyOn(commands, 'handle').mockRejectedValueOnce(new EventStoreUnavailableError('away'));
    expect((await connect('given back')).status).toBe(503);
    const rows = await db.query(
      "select answer, lease_until <= clock_timestamp() as free from api.idempotency where key = 'given back'",
    );
    expect(rows).toEqual([{ answer: null, free: true }]);
    expect((await connect('given back', {}, other)).status).toBe(201);
    expect(await events('account')).toBe(before + 1);
  });

  it('says when the effect came, however long before it was tried in vain', async () => {
    const { commands, db } = api.running.engines;
    await connect('for-later', { id: 'acct_later' });
    const post = {
      profileId: 'p',
      content: { text: 'x' },
      destinations: [{ accountId: 'acct_later', platform: 'instagram' }],
    };
    const schedule = () => api.send('POST', '/posts', post, { 'idempotency-key': 'later' });
    jest.spyOn(commands, 'handle').mockRejectedValueOnce(new EventStoreUnavailableError('away'));
    expect((await schedule()).status).toBe(503);
    await db.query("update api.idempotency set at = at - interval '1 hour' where key = 'later'");
    const asked = Date.now();
    const scheduled = await schedule();
    expect(Date.parse(scheduled.at('scheduledAt'))).toBeGreaterThanOrEqual(asked);
    const [entry] = (await api.send('GET', `/audit-log?entityId=${scheduled.at('id')}`)).at<{ at: string }[]>('data');
    expect(entry).toMatchObject({ at: scheduled.at('scheduledAt') });
  });

  it('keeps no place in a campaign for a post that is refused again', async () => {
    await connect('for-refused', { id: 'acct_refused' });
    await api.send('POST', '/campaigns', { id: 'cmp_refused', name: 'c', profileId: 'p' });
    const late = {
      profileId: 'p',
      content: { text: 'x' },
      destinations: [{ accountId: 'acct_refused', platform: 'instagram' }],
      scheduledAt: '2020-01-01T00:00:00Z',
      campaignId: 'cmp_refused',
    };
    const schedule = () => api.send('POST', '/posts', late, { 'idempotency-key': 'refused' });
    expect((await schedule()).status).toBe(422);
    await api.running.engines.db.query(
      "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = 'refused'",
    );
    expect((await schedule()).status).toBe(422);
    expect((await api.send('POST', '/campaigns/cmp_refused/close')).body).toMatchObject({
      status: 'completed',
      total: 0,
    });
  });

  it('has one effect also when its answer could not be kept', async () => {
    const { db } = api.running.engines;
    const before = await events('account');
    const query = db.query.bind(db);
    const spy = jest
      .spyOn(db, 'query')
      .mockImplementation(((text: string, params: unknown[]) =>
        text.startsWith('update api.idempotency set answer')
          ? Promise.reject(Object.assign(new Error('terminating connection'), { code: '57P01' }))
          : query(text, params)) as never);
    expect(await connect('unkept')).toMatchObject({ status: 503, body: { code: 'ENGINE_UNAVAILABLE' } });
    spy.mockRestore();
    await db.query("update api.idempotency set lease_until = now() where key = 'unkept'");
    expect((await connect('unkept')).status).toBe(201);
    expect(await events('account')).toBe(before + 1);
  });

  it('is renewed while it is held, and not once longer, whatever ended that', async () => {
    const { db, secrets, log, clock } = api.running.engines;
    const store = new IdempotencyStore({ db, secrets, log, clock });
    const reserve = async (key: string) => {
      const reserved = await store.reserve(api.workspace, key, 'a request');
      if (!('reservation' in reserved)) throw new Error('nobody has had this key');
      return reserved.reservation;
    };
    const answer = { status: 200, headers: {}, body: '{}' };
    const beats = new Map<unknown, () => void>();
    const every = jest.spyOn(global, 'setInterval').mockImplementation(((beat: () => void) => {
      const timer = { unref: () => timer };
      beats.set(timer, beat);
      return timer;
    }) as never);
    const stop = jest.spyOn(global, 'clearInterval').mockImplementation((timer) => void beats.delete(timer));
    const renewals = jest.spyOn(db, 'query');
    /** Renewals that one turn of all timers brings. */
    const turn = () => {
      renewals.mockClear();
      for (const beat of beats.values()) beat();
      return renewals.mock.calls.filter(([text]) => text.startsWith('update api.idempotency set lease_until')).length;
    };
    try {
      const kept = await reserve('kept');
      expect(turn()).toBe(1);
      await store.keep(kept, answer);
      expect(turn()).toBe(0);
      await store.giveBack(await reserve('not kept'));
      expect(turn()).toBe(0);
      const lost = await reserve('lost');
      renewals.mockRejectedValueOnce(new Error('away'));
      await expect(store.keep(lost, answer)).rejects.toThrow('away');
      expect(turn()).toBe(0);
      await reserve('at the end');
      store.close();
      expect(turn()).toBe(0);
    } finally {
      for (const spy of [every, stop, renewals]) spy.mockRestore();
    }
  });

  it('waits as long as a command may take that waits for a receiver itself', async () => {
    const { db, secrets, log, clock } = api.running.engines;
    const looked = jest.spyOn(db, 'inWorkspace');
    const store = new IdempotencyStore({ db, secrets, log, clock });
    const reserve = () => store.reserve(api.workspace, 'patient', 'a request');
    const held = await reserve();
    if (!('reservation' in held)) throw new Error('nobody has had this key');
    const waiting = reserve();
    const begun = performance.now();
    const now = jest.spyOn(performance, 'now').mockImplementation(() => begun + 30_000);
    await Promise.race([waiting, eventually(() => looked.mock.calls.length > 1)]);
    const answer = { status: 200, headers: {}, body: '{}' };
    await store.keep(held.reservation, answer);
    expect(await waiting).toEqual({ answer });
    now.mockRestore();
    looked.mockRestore();
    // Nothing is remembered of who has waited.
    await eventually(() => expect(store['settled'].size).toBe(0));
    store.close();
  });

  it('is looked at by one for all who wait for it', async () => {
    const { db, secrets, log, clock } = api.running.engines;
    const looked = jest.spyOn(db, 'inWorkspace');
    const store = new IdempotencyStore({ db, secrets, log, clock });
    const paused = jest.spyOn(store as unknown as { pause: () => Promise<void> }, 'pause');
    const reserve = () => store.reserve(api.workspace, 'crowded', 'a request');
    const held = await reserve();
    if (!('reservation' in held)) throw new Error('nobody has had this key');
    const waiting = Array.from({ length: 50 }, reserve);
    await expect(store.reserve(api.workspace, 'crowded', 'another request')).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    // Each has looked once, and one of them after each pause.
    await eventually(() => looked.mock.calls.length > 55);
    expect(paused.mock.calls.length).toBeLessThan(looked.mock.calls.length - 45);
    const answer = { status: 200, headers: {}, body: '{}' };
    await store.keep(held.reservation, answer);
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => ({ answer })));
    looked.mockRestore();
    expect(store['watching'].size).toBe(0);
    store.close();
  });

  it('is in use when that takes longer than any command does', async () => {
    const { db, secrets, log, clock } = api.running.engines;
    const looked = jest.spyOn(db, 'inWorkspace');
    const store = new IdempotencyStore({ db, secrets, log, clock });
    const reserve = () => store.reserve(api.workspace, 'endless', 'a request');
    await reserve();
    const waiting = reserve();
    await eventually(() => looked.mock.calls.length > 1);
    const begun = performance.now();
    const now = jest.spyOn(performance, 'now').mockImplementation(() => begun + 600_000);
    await expect(waiting).rejects.toMatchObject({ status: 409, code: 'IDEMPOTENCY_KEY_IN_USE' });
    now.mockRestore();
    looked.mockRestore();
    // Of a key that is another's nothing is remembered either.
    await eventually(() => expect(store['settled'].size).toBe(0));
    store.close();
  });

  it('is no longer of one that was taken for dead: what that one does changes nothing, nor in another workspace', async () => {
    const { db, secrets, log, clock } = api.running.engines;
    const store = new IdempotencyStore({ db, secrets, log, clock });
    const key = 'given up';
    const reserve = async (workspace = api.workspace) => {
      const reserved = await store.reserve(workspace, key, 'a request');
      // Nothing renews by itself what it has.
      store.close();
      if (!('reservation' in reserved)) throw new Error('nobody has answered');
      return reserved.reservation;
    };
    const end = () =>
      db.query(
        "update api.idempotency set lease_until = now() - interval '1 second' where workspace = $1 and key = $2",
        [api.workspace, key],
      );
    const rows = () => db.query('select * from api.idempotency where key = $1 order by epoch', [key]);
    await reserve('ws_elsewhere');
    const dead = await reserve();
    await end();
    const holder = await reserve();
    expect(holder).toEqual({ ...dead, epoch: 2, isRetaken: true });
    // Nor can anybody take it over while its lease runs, as when that was renewed between a look at it and the taking over.
    expect(await store['takeOver'](api.workspace, key, holder.epoch)).toBe(false);
    const before = await rows();
    await store.giveBack(dead);
    expect(await rows()).toEqual(before);
    const asked = jest.spyOn(db, 'query');
    store['renew'](dead);
    await asked.mock.results[0]!.value;
    asked.mockRestore();
    expect(await rows()).toEqual(before);
    const answer = { status: 200, headers: {}, body: 'of the holder' };
    await store.keep(holder, answer);
    const after = await rows();
    await store.keep(dead, { ...answer, body: 'of the dead' });
    expect(await rows()).toEqual(after);
    expect(after[0]).toEqual(before[0]);
    expect(await store.reserve(api.workspace, key, 'a request')).toEqual({ answer });
    // Nor is it anybody's once it is answered, as when that came between a look at it and the taking over.
    await end();
    expect(await store['takeOver'](api.workspace, key, holder.epoch)).toBe(false);
  });

  it('forgets the answer after a day, and then it is another command', async () => {
    const first = await connect('day');
    // One that was taken over once, too.
    await api.running.engines.db.query(
      "update api.idempotency set at = at - interval '25 hours', lease_until = lease_until - interval '25 hours', epoch = 2 where key = 'day'",
    );
    const [next, twin] = await Promise.all([api, other].map((by) => connect('day', { username: 'later' }, by)));
    expect(next!.status).toBe(201);
    expect(next!.at('id')).not.toBe(first.at('id'));
    expect(twin!.body).toEqual(next!.body);
    const replayed = [next!, twin!].filter(({ headers }) => headers['idempotency-replayed']);
    expect(replayed).toHaveLength(1);
    expect(await connect('day', { username: 'later' })).toMatchObject({
      body: next!.body,
      headers: { 'idempotency-replayed': 'true' },
    });
  });

  it('is another command in another workspace, also at the same moment', async () => {
    const { db, secrets, log, clock } = api.running.engines;
    const now = clock();
    const store = new IdempotencyStore({ db, secrets, log, clock: () => now });
    const commandOf = async (workspace: string) => {
      const reserved = await store.reserve(workspace, 'one moment', 'a request');
      return 'reservation' in reserved && reserved.reservation.commandId;
    };
    expect(await commandOf('ws_here')).not.toBe(await commandOf('ws_there'));
    store.close();
  });

  it('is swept away after its day, however many there are, and not before', async () => {
    const { db, secrets, log, clock } = api.running.engines;
    const store = new IdempotencyStore({ db, secrets, log, clock });
    await db.query(
      `insert into api.idempotency (workspace, key, fingerprint, at, lease_until)
       select 'ws_swept', n::text, '', now() - n * interval '1 hour', now() from unnest(array[1, 23] || array(select generate_series(25, 2100))) n`,
    );
    await store['sweep']();
    store.close();
    const left = await db.query("select key from api.idempotency where workspace = 'ws_swept' order by at desc");
    expect(left).toEqual([{ key: '1' }, { key: '23' }]);
  });

  it('is neither swept away nor taken for old by a process whose clock is ahead', async () => {
    await connect('young');
    const { db, secrets, log, clock } = api.running.engines;
    const store = new IdempotencyStore({ db, secrets, log, clock: () => plus(clock(), 2 * DAY) });
    const fingerprint = requestFingerprint('POST', '/api/v1/accounts', account);
    expect(await store.reserve(api.workspace, 'young', fingerprint)).toMatchObject({ answer: { status: 201 } });
    await store['sweep']();
    store.close();
    expect(await connect('young')).toMatchObject({ headers: { 'idempotency-replayed': 'true' } });
  });

  it('decides once whether the answer has had its day, however long it takes to look', async () => {
    await connect('tick');
    const { db, secrets, log } = api.running.engines;
    const [{ at }] = (await db.query(
      "update api.idempotency set at = at - interval '24 hours 1 minute' where key = 'tick' returning at",
    )) as [{ at: string }];
    let ms = Date.parse(at) + 24 * 60 * 60 * 1_000 - 6;
    const store = new IdempotencyStore({ db, secrets, log, clock: () => instant((ms += 5)) });
    const fingerprint = requestFingerprint('POST', '/api/v1/accounts', account);
    expect(await store.reserve(api.workspace, 'tick', fingerprint)).toMatchObject({ answer: { status: 201 } });
    store.close();
  });

  it('refuses a key that is no key', async () => {
    expect(await connect('x'.repeat(256))).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/Idempotency-Key' }] },
    });
  });
});
