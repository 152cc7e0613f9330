import { eventually, Receiver } from '#testing';
import type { Client } from '../harness/client';
import { Standalone } from '../harness/standalone';
import type { Body } from './verify';

interface Page {
  data: Body[];
  nextCursor: string | null;
}
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('the audit log', () => {
  let standalone: Standalone;
  let receiver: Receiver;
  let client: Client;
  let other: Client;
  let made: { id: string; apiKey: string };
  const times: string[] = [];

  const log = async (query = ''): Promise<Body[]> =>
    (await client.must<Page>(200, 'GET', `/audit-log?limit=200&${query}`)).data;
  const brief = (entries: Body[]): unknown[] =>
    entries.map(({ action, revisionBefore, revision }) => [action, revisionBefore, revision]);

  beforeAll(async () => {
    standalone = await Standalone.start({ PUBLISHER: 'none' });
    receiver = await Receiver.open();
    const operator = standalone.client();
    made = await operator.must(201, 'POST', '/workspaces', { name: 'Audited' });
    client = standalone.client(made.apiKey);
    other = standalone.client(
      (await operator.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Other' })).apiKey,
    );
    await client.endpoint(receiver.url('/hook'));
    const as = (actor: string, correlation: string) => ({
      headers: { 'x-actor': actor, 'x-correlation-id': correlation },
    });
    const mark = () => times.push(new Date(Date.now()).toISOString());
    const tick = () => {
      const at = Date.now();
      return eventually(() => Date.now() > at + 1);
    };
    mark();
    await tick();
    await client.must(
      201,
      'POST',
      '/accounts',
      { id: 'acct_1', platform: 'instagram', username: 'ünï, "x"', profileId: 'prof_1' },
      as('usr_a', 'corr-1'),
    );
    await client.must(
      201,
      'POST',
      '/posts',
      {
        id: 'pst_1',
        profileId: 'prof_1',
        content: { text: 'Line 1\nLine, "2" 🎉' },
        destinations: [{ accountId: 'acct_1', platform: 'instagram' }],
        scheduledAt: '2031-01-01T00:00:00Z',
      },
      as('usr_a', 'corr-2'),
    );
    await tick();
    mark();
    await tick();
    await client.must(
      200,
      'POST',
      '/posts/pst_1/reschedule',
      { scheduledAt: '2031-02-01T00:00:00Z' },
      as('usr_b', 'corr-2'),
    );
    await tick();
    mark();
    await tick();
    await client.must(200, 'POST', '/posts/pst_1/cancel', { reason: '=cmd|danger' });
    await eventually(async () => expect(await log('entityType=post&entityId=pst_1')).toHaveLength(3));
  });
  afterAll(async () => {
    await receiver.close();
    await standalone.remove();
  });

  it('has every change of a thing, newest first, with who, why and which revision', async () => {
    const entries = await log('entityType=post&entityId=pst_1');
    expect(brief(entries)).toEqual([
      ['PostCancelled', 1, 2],
      ['PostRescheduled', 0, 1],
      ['PostScheduled', null, 0],
    ]);
    for (const entry of entries) {
      expect(Object.keys(entry).sort()).toEqual(
        'action actor at causationId correlationId data entityId entityType hash id position previousHash revision revisionBefore'.split(
          ' ',
        ),
      );
      expect(entry).toMatchObject({
        entityType: 'post',
        entityId: 'pst_1',
        at: expect.stringMatching(ISO),
        id: expect.stringMatching(/^evt_/),
      });
    }
    expect(entries.map(({ actor }) => actor).slice(1)).toEqual(['usr_b', 'usr_a']);
    expect(entries[0]!['actor']).toMatch(/^key_/);
    expect(entries.map(({ correlationId }) => correlationId).slice(1)).toEqual(['corr-2', 'corr-2']);
    await eventually(() => expect(receiver.bodies().filter(({ data }) => data['postId'] === 'pst_1')).toHaveLength(3));
    const sent = receiver
      .bodies()
      .filter(({ data }) => data['postId'] === 'pst_1')
      .map(({ id }) => id);
    expect(new Set(entries.map(({ id }) => id))).toEqual(new Set(sent));
  });

  it('is filtered by each of its fields, and by several at once', async () => {
    expect((await log('actor=usr_a')).map(({ action }) => action)).toEqual(['PostScheduled', 'AccountConnected']);
    expect((await log('action=PostRescheduled')).map(({ entityId }) => entityId)).toEqual(['pst_1']);
    expect((await log('correlationId=corr-2')).map(({ action }) => action)).toEqual([
      'PostRescheduled',
      'PostScheduled',
    ]);
    expect((await log('correlationId=corr-2&actor=usr_b')).map(({ action }) => action)).toEqual(['PostRescheduled']);
    expect((await log('entityType=account')).map(({ entityId }) => entityId)).toEqual(['acct_1']);
    expect(brief(await log(`entityType=post&from=${times[1]}&to=${times[2]}`))).toEqual([['PostRescheduled', 0, 1]]);
    const [entry] = await log('action=PostRescheduled');
    expect(await log(`action=PostRescheduled&from=${entry!['at']}`)).toHaveLength(1);
    expect(await log(`action=PostRescheduled&to=${entry!['at']}`)).toHaveLength(0);
    const local = encodeURIComponent(
      new Date(Date.parse(times[1]!) + 2 * 3_600_000).toISOString().replace('Z', '+02:00'),
    );
    expect(brief(await log(`entityType=post&from=${local}&to=${times[2]}`))).toEqual([['PostRescheduled', 0, 1]]);
    expect(await log('actor=usr_nobody')).toEqual([]);
    expect(await log('entityId=pst_nothing')).toEqual([]);
  });

  it.each([
    'limit=201',
    'limit=0',
    'limit=x',
    'from=yesterday',
    'to=2026-13-01T00:00:00Z',
    'nothing=1',
    'cursor=%25%25',
    'from=2026-01-01',
  ])('refuses the query %s, and points at it', async (query) => {
    for (const path of ['/audit-log', ...(/^(limit|cursor)/.test(query) ? [] : ['/audit-log/export'])]) {
      const { status, body } = await client.get<Body>(`${path}?${query}`);
      expect([path, query, status, body['code'], body['errors']?.[0]?.pointer]).toEqual([
        path,
        query,
        400,
        'VALIDATION_FAILED',
        `/${query.split('=')[0]}`,
      ]);
    }
  });

  it('is walked page by page to the beginning of its chain, each entry holding the one before', async () => {
    const all = await log();
    const walked: Body[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Page = await client.must(
        200,
        'GET',
        `/audit-log?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      expect(page.data.length).toBeLessThanOrEqual(2);
      walked.push(...page.data);
      cursor = page.nextCursor;
    }
    expect(walked).toEqual(all);
    expect(all.at(-1)!['previousHash']).toBeNull();
    all.slice(0, -1).forEach((entry, n) => expect(entry['previousHash']).toBe(all[n + 1]!['hash']));
    expect(new Set(all.map(({ hash }) => hash)).size).toBe(all.length);
    expect(await client.must(200, 'GET', '/audit-log/verify')).toMatchObject({ ok: true, entries: all.length });
  });

  it('is exported as lines of JSON, the same entries, with the same filters', async () => {
    const answer = await client.get('/audit-log/export?format=ndjson&entityType=post');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
    const lines = answer.text
      .trimEnd()
      .split('\n')
      // What the log holds of personal values is beside them in the export alone.
      .map((line) => ({ ...(JSON.parse(line) as Body), sealed: undefined }) as unknown as Body);
    expect(new Set(lines.map(({ id }) => id))).toEqual(new Set((await log('entityType=post')).map(({ id }) => id)));
    expect([...lines].sort((a, b) => b['position'] - a['position'])).toEqual(await log('entityType=post'));
    expect((await client.get('/audit-log/export?format=xml')).status).toBe(400);
    expect((await client.get('/audit-log/export?format=ndjson&actor=usr_nobody')).text.trim()).toBe('');
  });

  it('is exported as a table that spreadsheets read and do not run', async () => {
    const answer = await client.get('/audit-log/export?format=csv&entityType=post');
    expect(answer.headers.get('content-type')).toMatch(/^text\/csv/);
    const rows = parseCsv(answer.text);
    expect(rows).toHaveLength(4);
    const header = rows[0]!;
    for (const name of [
      'id',
      'position',
      'at',
      'action',
      'entityType',
      'entityId',
      'actor',
      'correlationId',
      'revisionBefore',
      'revision',
      'data',
      'hash',
      'previousHash',
    ])
      expect(header).toContain(name);
    const scheduled = rows.find((row) => row[header.indexOf('action')] === 'PostScheduled')!;
    expect(JSON.parse(scheduled[header.indexOf('data')]!)).toEqual((await log('action=PostScheduled'))[0]!['data']);
    for (const row of rows) {
      expect(row).toHaveLength(header.length);
      for (const cell of row) expect(cell).not.toMatch(/^[=@\t]/);
    }
  });

  it('tells a thing as it stood, shaped as its GET', async () => {
    const at = (time: string, type = 'post', id = 'pst_1') =>
      client.get<Body>(`/audit-log/entities/${type}/${id}?at=${encodeURIComponent(time)}`);
    expect((await at(times[0]!)).status).toBe(404);
    const first = await at(times[1]!);
    expect(first.status).toBe(200);
    expect(Object.keys(first.body).sort()).toEqual(['at', 'entityType', 'id', 'revision', 'state']);
    expect(first.body).toMatchObject({
      entityType: 'post',
      id: 'pst_1',
      at: times[1],
      revision: 0,
      state: { id: 'pst_1', status: 'scheduled', scheduledAt: '2031-01-01T00:00:00.000Z' },
    });
    expect((await at(times[2]!)).body).toMatchObject({
      revision: 1,
      state: { scheduledAt: '2031-02-01T00:00:00.000Z', status: 'scheduled' },
    });
    const now = await at(new Date().toISOString());
    const got = await client.must<Body>(200, 'GET', '/posts/pst_1?minRevision=2');
    expect(now.body).toMatchObject({ revision: 2, state: got });
    expect(Object.keys(now.body['state']).sort()).toEqual(Object.keys(got).sort());
    const withoutTime = await client.get<Body>('/audit-log/entities/post/pst_1');
    expect([withoutTime.status, withoutTime.body['revision']]).toEqual([200, 2]);
    expect((await at(times[2]!, 'account', 'acct_1')).body['state']).toEqual(
      await client.must(200, 'GET', '/accounts/acct_1?minRevision=0'),
    );
    expect((await at(times[1]!, 'post', 'pst_nothing')).status).toBe(404);
    expect([400, 404, 422]).toContain((await at(times[1]!, 'unicorn', 'pst_1')).status);
    expect((await at('yesterday')).status).toBe(400);
    expect((await other.get(`/audit-log/entities/post/pst_1?at=${times[2]}`)).status).toBe(404);
  });

  it('tells every noun that has a GET as it stands, shaped as that', async () => {
    const created: [string, string, string, string][] = [];
    const make = async (type: string, path: string, body: object, get: string) => {
      const { id } = await client.must<{ id: string }>(201, 'POST', path, body);
      created.push([type, id, `${get}/${id}`, path]);
    };
    await make('campaign', '/campaigns', { name: 'C', profileId: 'prof_1' }, '/campaigns');
    await make('media', '/media', { kind: 'image' }, '/media');
    await make('operation', '/operations', { kind: 'image', region: 'eu' }, '/operations');
    await make('design', '/designs', { clientId: 'cl' }, '/designs');
    const { signingSecret: _once, ...endpoint } = await client.endpoint(receiver.url('/quiet'), {
      eventTypes: ['team.*'],
    });
    created.push(['endpoint', endpoint.id, `/webhooks/endpoints/${endpoint.id}`, '']);
    for (const [type, id, path] of created) {
      const got = await client.must<Body>(200, 'GET', `${path}?minRevision=0`);
      const [entry] = await eventually(async () => {
        const entries = await log(`entityId=${id}`);
        expect(entries.length).toBeGreaterThan(0);
        return entries;
      });
      if (type !== 'endpoint') expect(entry!['entityType']).toBe(type);
      const then = await client.must<Body>(
        200,
        'GET',
        `/audit-log/entities/${entry!['entityType']}/${id}?at=${new Date(Date.now() + 1000).toISOString()}`,
      );
      expect([type, then['state']]).toEqual([type, got]);
    }
  });

  it('shows no secret, in the log or in its export', async () => {
    const { id, signingSecret } = await client.endpoint(receiver.url('/secret'), { eventTypes: ['team.*'] });
    const { signingSecret: second } = await client.must<Body>(200, 'POST', `/webhooks/endpoints/${id}/rotate-secret`);
    await eventually(async () => expect((await log(`entityId=${id}`)).length).toBe(2));
    const all =
      (await client.get('/audit-log?limit=200')).text + (await client.get('/audit-log/export?format=csv')).text;
    for (const secret of [signingSecret, second, made.apiKey]) expect(all).not.toContain(secret);
  });

  it('needs its scope, and shows nothing of another workspace', async () => {
    const reader = standalone.client(
      (
        await client.must<{ key: string }>(201, 'POST', '/api-keys', {
          name: 'r',
          scopes: ['read', 'commands', 'webhooks'],
        })
      ).key,
    );
    for (const path of [
      '/audit-log',
      '/audit-log/export?format=csv',
      '/audit-log/verify',
      '/audit-log/entities/post/pst_1',
    ]) {
      const denied = await reader.get<Body>(path);
      expect([path, denied.status, denied.body['code']]).toEqual([path, 403, 'SCOPE_MISSING']);
    }
    const theirs = await other.must<Page>(200, 'GET', '/audit-log');
    expect(JSON.stringify(theirs)).not.toContain('pst_1');
    expect((await other.must<Page>(200, 'GET', '/audit-log?entityId=pst_1')).data).toEqual([]);
    expect(await other.must(200, 'GET', '/audit-log/verify')).toMatchObject({ ok: true });
  });

  it('keeps its chain through many writers at once', async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        client.must(201, 'POST', '/campaigns', { id: `cmp_many${n}`, name: 'n', profileId: 'prof_1' }),
      ),
    );
    const ofMany = (entries: Body[]) => entries.filter(({ entityId }) => String(entityId).startsWith('cmp_many'));
    await eventually(async () => expect(ofMany(await log())).toHaveLength(60));
    const all = await log();
    expect(ofMany(all)).toHaveLength(60);
    all.slice(0, -1).forEach((entry, n) => expect(entry['previousHash']).toBe(all[n + 1]!['hash']));
    expect(await client.must(200, 'GET', '/audit-log/verify')).toMatchObject({ ok: true });
  });
});

/** RFC 4180, small. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain, end] of text
    .replace(/\r\n/g, '\n')
    .matchAll(/(?:"((?:[^"]|"")*)"|([^,\n"]*))(,|\n|$)/g)) {
    row.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
    if (end !== ',') {
      if (row.length > 1) rows.push(row);
      row = [];
    }
  }
  return rows;
}
