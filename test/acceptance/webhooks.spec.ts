import { eventually, Receiver } from '#testing';
import type { Answer, Client } from '../harness/client';
import { Standalone } from '../harness/standalone';
import { wrongs, type Body } from './verify';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('webhook endpoints', () => {
  let standalone: Standalone;
  let receiver: Receiver;
  let client: Client;
  let operator: Client;

  /** One event about a new account. */
  const happen = (id: string): Promise<unknown> =>
    client.must(201, 'POST', '/accounts', {
      id: `acct_${id}`,
      platform: 'mastodon',
      username: id,
      profileId: 'prof_1',
    });
  const about = (path: string): string[] => receiver.bodies(path).map(({ data }) => String(data['accountId']));
  /** What came, by its number. */
  const inOrder = (path: string) =>
    receiver
      .on(path)
      .map(({ body, headers }) => ({ body, number: Number(headers['webhook-sequence']) }))
      .sort((one, other) => one.number - other.number);
  const create = (body: object, options?: object): Promise<Answer<Body>> =>
    client.post<Body>('/webhooks/endpoints', body, options);
  const workspace = async (): Promise<Client> =>
    standalone.client(
      (await operator.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Another' })).apiKey,
    );

  beforeAll(async () => {
    standalone = await Standalone.start({ PUBLISHER: 'none' });
    receiver = await Receiver.open();
    operator = standalone.client();
    client = await workspace();
  });
  afterAll(async () => {
    await receiver.close();
    await standalone.remove();
  });

  describe('registering', () => {
    it('answers with the secret once and never again', async () => {
      const made = await create({ targetUrl: receiver.url('/x'), eventTypes: ['team.*'] });
      expect(made.status).toBe(201);
      expect(made.headers.get('etag')).toBe('"0"');
      expect(made.body).toMatchObject({
        id: expect.stringMatching(/^whe_/),
        targetUrl: receiver.url('/x'),
        eventTypes: ['team.*'],
        contract: 'core',
        ordered: false,
        status: 'enabled',
        createdAt: expect.stringMatching(ISO),
        signingSecret: expect.stringMatching(/^whsec_/),
      });
      const { signingSecret, ...rest } = made.body;
      const got = await client.get<Body>(`/webhooks/endpoints/${made.body['id']}?minRevision=0`);
      expect(got.status).toBe(200);
      expect(got.headers.get('etag')).toBe('"0"');
      expect(got.body).toEqual(rest);
      expect(Object.keys(got.body)).toEqual(expect.arrayContaining(['description', 'rateLimitPerSecond']));
      const list = await client.get('/webhooks/endpoints?limit=200');
      expect(list.text).toContain(made.body['id']);
      expect(list.text + got.text).not.toContain(signingSecret);
    });

    it('takes an id of every allowed character, once per workspace', async () => {
      const id = `whe_${'aZ09_-'.repeat(10)}abcd`;
      expect((await create({ id, targetUrl: receiver.url('/x'), eventTypes: ['team.*'] })).status).toBe(201);
      const again = await create({ id, targetUrl: receiver.url('/x'), eventTypes: ['team.*'] });
      expect([again.status, again.body['code']]).toEqual([409, 'ENDPOINT_ALREADY_EXISTS']);
      expect(
        (
          await (
            await workspace()
          ).post('/webhooks/endpoints', { id, targetUrl: receiver.url('/x'), eventTypes: ['*'] })
        ).status,
      ).toBe(201);
      expect((await client.get(`/webhooks/endpoints/${id}?minRevision=0`)).status).toBe(200);
    });

    it.each([
      ['no target', { eventTypes: ['*'] }, '/targetUrl'],
      ['no types', { targetUrl: 'https://example.com' }, '/eventTypes'],
      ['an empty list of types', { targetUrl: 'https://example.com', eventTypes: [] }, '/eventTypes'],
      ['types as text', { targetUrl: 'https://example.com', eventTypes: '*' }, '/eventTypes'],
      ['a type that is a number', { targetUrl: 'https://example.com', eventTypes: ['*', 4] }, '/eventTypes/1'],
      ['an unknown field', { targetUrl: 'https://example.com', eventTypes: ['*'], secret: 'x' }, '/secret'],
      ['ordered as text', { targetUrl: 'https://example.com', eventTypes: ['*'], ordered: 'yes' }, '/ordered'],
      [
        'a rate of zero',
        { targetUrl: 'https://example.com', eventTypes: ['*'], rateLimitPerSecond: 0 },
        '/rateLimitPerSecond',
      ],
      [
        'a negative rate',
        { targetUrl: 'https://example.com', eventTypes: ['*'], rateLimitPerSecond: -1 },
        '/rateLimitPerSecond',
      ],
      [
        'a rate as text',
        { targetUrl: 'https://example.com', eventTypes: ['*'], rateLimitPerSecond: '5' },
        '/rateLimitPerSecond',
      ],
      [
        'a start that is no time',
        { targetUrl: 'https://example.com', eventTypes: ['*'], startFrom: 'yesterday' },
        '/startFrom',
      ],
      ['an id of another noun', { id: 'pst_1', targetUrl: 'https://example.com', eventTypes: ['*'] }, '/id'],
      ['an id too long', { id: `whe_${'a'.repeat(65)}`, targetUrl: 'https://example.com', eventTypes: ['*'] }, '/id'],
      ['an id of nothing', { id: 'whe_', targetUrl: 'https://example.com', eventTypes: ['*'] }, '/id'],
      [
        'a description that is a number',
        { targetUrl: 'https://example.com', eventTypes: ['*'], description: 1 },
        '/description',
      ],
    ])('refuses %s, and points at it', async (_what, body, pointer) => {
      const { status, body: problem, headers } = await create(body);
      expect([status, problem['code']]).toEqual([400, 'VALIDATION_FAILED']);
      expect(headers.get('content-type')).toContain('application/problem+json');
      expect(problem['errors'].map((error) => error['pointer'])).toEqual([pointer]);
    });

    it.each(['post.nothing', 'PostPublished', 'post.p*', 'nothing.*', '', '*.published', 'post.*.*'])(
      'refuses the type "%s" and lists those there are, or takes it when something matches',
      async (type) => {
        const { status, body, text } = await create({
          targetUrl: receiver.url('/x'),
          eventTypes: ['post.published', type],
        });
        if (type === 'post.p*') return expect([201, 422]).toContain(status);
        expect(['', '*.published', 'post.*.*'].includes(type) ? [400, 422] : [422]).toContain(status);
        if (status === 422) {
          expect(body['code']).toBe('EVENT_TYPE_UNKNOWN');
          for (const known of ['post.published', 'team.role_changed', 'webhook.test']) expect(text).toContain(known);
        }
      },
    );

    it('refuses a type of another contract, and a contract that is not there', async () => {
      for (const [contract, type, has] of [
        ['post-ez', 'post.scheduled', 'schedule.created'],
        ['postiz', 'post.published', 'PostPublished'],
        ['posteverywhere', 'post.partial', 'account.disconnected'],
        ['posternity', 'post.*', 'design.approved'],
      ]) {
        const { status, body, text } = await create({ targetUrl: receiver.url('/x'), eventTypes: [type], contract });
        expect([contract, status, body['code']]).toEqual([contract, 422, 'EVENT_TYPE_UNKNOWN']);
        expect(text).toContain(has);
      }
      expect([400, 422]).toContain(
        (await create({ targetUrl: receiver.url('/x'), eventTypes: ['*'], contract: 'zapier' })).status,
      );
    });

    it.each([
      'http://10.0.0.1/x',
      'https://10.0.0.1/x',
      'https://192.168.1.1',
      'https://172.16.0.1',
      'https://169.254.169.254/latest/meta-data',
      'https://100.64.0.1',
      'https://0.0.0.0',
      'https://224.0.0.1',
      'https://255.255.255.255',
      'https://198.18.0.1',
      'https://192.0.2.1',
      'https://198.51.100.7',
      'https://203.0.113.9',
      'https://[2001:db8::1]/',
      'https://[fe80::1]/',
      'https://[fd00::1]',
      'https://[::ffff:10.0.0.1]/',
      'https://[::]/',
      'https://[64:ff9b::a00:1]/',
      'https://[2002:a00:1::]/',
      'https://0x0a000001/',
      'https://012.0.0.1/',
      'https://167772161/',
      'https://10.1/',
      'http://example.com/x',
      'ftp://example.com',
      'https://user:pw@example.com/',
      'https://user@example.com',
      'https://example.com:0/',
      'file:///etc/passwd',
      'http://127.0.0.1:0/',
      'http://me@127.0.0.1:1234/',
      'http://[::ffff:192.168.0.1]:80/',
      'http://192.168.0.1.nip.io/',
      'https://３.example/\u2025',
      'https://１０.0.0.1/',
    ])('refuses the target %s with a reason', async (targetUrl) => {
      const { status, body } = await create({ targetUrl, eventTypes: ['*'] });
      if (targetUrl.includes('\u2025')) return expect([201, 400, 422]).toContain(status);
      expect([targetUrl, status, body['code']]).toEqual([targetUrl, 422, 'TARGET_REFUSED']);
      expect(String(body['detail']).length).toBeGreaterThan(10);
    });

    it.each([
      'http://127.0.0.1:9/',
      'http://127.8.9.1:9/',
      'http://localhost:9/',
      'http://[::1]:9/',
      'https://example.com/hook?x=1',
      'https://no-such-name.example.com/',
      'https://8.8.8.8/',
    ])('takes the target %s in the sandbox', async (targetUrl) => {
      const { status, body } = await create({ targetUrl, eventTypes: ['webhook.delivery_parked'], contract: 'core' });
      expect([targetUrl, status]).toEqual([targetUrl, 201]);
      expect((await client.delete(`/webhooks/endpoints/${body['id']}`)).status).toBe(204);
    });

    it.each(['', 'nonsense', '//example.com', 'https://'])(
      'refuses the target "%s", which is none',
      async (targetUrl) => {
        expect([400, 422]).toContain((await create({ targetUrl, eventTypes: ['*'] })).status);
      },
    );

    it('is done once under one idempotency key, secret and all', async () => {
      const body = { targetUrl: receiver.url('/x'), eventTypes: ['team.*'] };
      const options = { headers: { 'idempotency-key': 'endpoint-1' } };
      const [one, two] = await Promise.all([create(body, options), create(body, options)]);
      expect(one.status).toBe(201);
      expect(two.text).toBe(one.text);
      const reused = await create({ ...body, description: 'other' }, options);
      expect([reused.status, reused.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    });
  });

  it("keeps what is another workspace's, and what needs another scope, away", async () => {
    const { id } = await client.endpoint(receiver.url('/mine'), { eventTypes: ['team.*'] });
    const other = await workspace();
    const reader = standalone.client(
      (
        await client.must<{ key: string }>(201, 'POST', '/api-keys', {
          name: 'r',
          scopes: ['read', 'commands', 'publish', 'audit'],
        })
      ).key,
    );
    const calls: [string, string, object?][] = [
      ['GET', ''],
      ['PATCH', '', { description: 'x' }],
      ['DELETE', ''],
      ['POST', '/enable'],
      ['POST', '/disable'],
      ['POST', '/rotate-secret', {}],
      ['POST', '/test', {}],
      ['POST', '/replay', { since: '2020-01-01T00:00:00Z' }],
      ['GET', '/events'],
    ];
    for (const [method, path, body] of calls) {
      const foreign = await other.call<Body>(method, `/webhooks/endpoints/${id}${path}`, body);
      expect([method, path, foreign.status, foreign.body['code']]).toEqual([method, path, 404, 'ENDPOINT_NOT_FOUND']);
      const denied = await reader.call<Body>(method, `/webhooks/endpoints/${id}${path}`, body);
      expect([method, path, denied.status, denied.body['code']]).toEqual([method, path, 403, 'SCOPE_MISSING']);
    }
    for (const path of [
      '/webhooks/endpoints',
      '/webhooks/deliveries',
      '/webhooks/contracts',
      '/webhooks/event-types',
      '/webhooks/jobs/x',
    ])
      expect((await reader.get(path)).status).toBe(403);
    for (const path of [
      '/webhooks/deliveries/dlv_nothing',
      '/webhooks/jobs/job_nothing',
      '/webhooks/endpoints/whe_nothing',
    ])
      expect((await client.get(path)).status).toBe(404);
    for (const [method, path] of [
      ['POST', '/webhooks/deliveries/dlv_nothing/replay'],
      ['DELETE', '/webhooks/deliveries/dlv_nothing'],
    ] as const)
      expect((await client.call(method, path)).status).toBe(404);
    expect((await other.get<{ data: unknown[] }>('/webhooks/endpoints')).body.data).toEqual([]);
  });

  it('changes what a patch names and nothing else', async () => {
    const { id } = await client.endpoint(receiver.url('/patched'), {
      eventTypes: ['team.*'],
      description: 'first',
      rateLimitPerSecond: 7,
    });
    const path = `/webhooks/endpoints/${id}`;
    const patched = await client.patch<Body>(path, { eventTypes: ['account.connected'], ordered: true });
    expect(patched.status).toBe(200);
    expect(patched.body).toMatchObject({
      id,
      eventTypes: ['account.connected'],
      ordered: true,
      description: 'first',
      rateLimitPerSecond: 7,
    });
    expect(patched.headers.get('etag')).toBe('"1"');
    await happen('patched');
    await eventually(() => expect(about('/patched')).toEqual(['acct_patched']));
    const stale = await client.patch<Body>(path, { description: 'z' }, { headers: { 'if-match': '"0"' } });
    expect([stale.status]).toEqual([412]);
    expect((await client.patch(path, { description: 'second' }, { headers: { 'if-match': '"1"' } })).status).toBe(200);
    for (const body of [
      { nothing: 1 },
      { ordered: 1 },
      { eventTypes: [] },
      { signingSecret: 'x' },
      { status: 'disabled' },
      { id: 'whe_2' },
    ])
      expect([body, (await client.patch(path, body)).status]).toEqual([body, 400]);
    expect((await client.patch<Body>(path, { targetUrl: 'https://10.0.0.1/' })).body['code']).toBe('TARGET_REFUSED');
    expect((await client.patch<Body>(path, { eventTypes: ['post.nothing'] })).body['code']).toBe('EVENT_TYPE_UNKNOWN');
    const cleared = await client.patch<Body>(path, { description: null, rateLimitPerSecond: null });
    expect([cleared.status, cleared.body['description'], cleared.body['rateLimitPerSecond']]).toEqual([
      200,
      null,
      null,
    ]);
    expect((await client.patch<Body>(path, { targetUrl: receiver.url('/moved') })).status).toBe(200);
    await happen('moved');
    await eventually(() => expect(about('/moved')).toEqual(['acct_moved']));
    expect((await client.delete(path)).status).toBe(204);
    expect((await client.get(path)).status).toBe(404);
    expect((await client.delete(path)).status).toBe(404);
    expect((await client.patch(path, { description: 'x' })).status).toBe(404);
    expect((await client.post(`${path}/enable`)).status).toBe(404);
  });

  it('takes numbers but sends nothing while disabled, until a replay', async () => {
    const { id, signingSecret } = await client.endpoint(receiver.url('/off'), { eventTypes: ['account.connected'] });
    const path = `/webhooks/endpoints/${id}`;
    await happen('on1');
    await eventually(() => expect(about('/off')).toEqual(['acct_on1']));
    const off = await client.must<Body>(200, 'POST', `${path}/disable`);
    expect(off).toMatchObject({ status: 'disabled', disabledReason: 'manual' });
    expect((await client.post(`${path}/disable`)).status).toBe(200);
    await happen('off1');
    await happen('off2');
    const discarded = await eventually(async () => {
      const { data } = await client.must<{ data: Body[] }>(
        200,
        'GET',
        `/webhooks/deliveries?endpointId=${id}&status=discarded`,
      );
      expect(data.map(({ sequence }) => sequence)).toEqual([3, 2]);
      return data;
    });
    // Taken now, it would never be done.
    for (const [replay, body] of [
      [`/webhooks/deliveries/${discarded[1]!['id']}/replay`, undefined],
      [`${path}/replay`, { since: '2020-01-01T00:00:00Z' }],
    ] as const) {
      expect(await client.post(replay, body)).toMatchObject({ status: 409, body: { code: 'ENDPOINT_DISABLED' } });
    }
    const on = await client.must<Body>(200, 'POST', `${path}/enable`);
    expect(on['status']).toBe('enabled');
    expect(on).not.toHaveProperty('disabledReason');
    await happen('on2');
    await eventually(() => expect(about('/off')).toEqual(['acct_on1', 'acct_on2']));
    expect(receiver.on('/off').map(({ headers }) => headers['webhook-sequence'])).toEqual(['1', '4']);

    expect((await client.post(`/webhooks/deliveries/${discarded[1]!['id']}/replay`)).status).toBe(202);
    await eventually(() => expect(about('/off')).toEqual(['acct_on1', 'acct_on2', 'acct_off1']));
    const job = await client.must<Body>(202, 'POST', `${path}/replay`, {
      since: '2020-01-01T00:00:00+01:00',
      status: 'discarded',
    });
    await eventually(() => expect(about('/off').at(-1)).toBe('acct_off2'));
    for (const one of receiver.on('/off').slice(2)) {
      expect(one.headers['webhook-replay']).toBe('true');
      expect(wrongs(one, signingSecret)).toEqual([]);
    }
    expect(
      receiver
        .on('/off')
        .slice(2)
        .map(({ headers }) => headers['webhook-sequence']),
    ).toEqual(['2', '3']);
    await eventually(async () =>
      expect(await client.must(200, 'GET', `/webhooks/jobs/${job['jobId']}`)).toMatchObject({
        status: 'done',
        total: 1,
        done: 1,
      }),
    );
    expect((await (await workspace()).get(`/webhooks/jobs/${job['jobId']}`)).status).toBe(404);
  });

  it('replays a stretch of time, same ids, same bytes', async () => {
    const { id } = await client.endpoint(receiver.url('/span'), { eventTypes: ['account.connected'] });
    for (const [n, name] of ['s1', 's2', 's3'].entries()) {
      await happen(name);
      await eventually(() => expect(about('/span')).toHaveLength(n + 1));
    }
    const { data } = await client.must<{ data: Body[] }>(200, 'GET', `/webhooks/deliveries?endpointId=${id}`);
    const times = data.map(({ createdAt }) => String(createdAt)).reverse();
    const before = receiver.on('/span').map(({ body }) => body);
    const { jobId } = await client.must<Body>(202, 'POST', `/webhooks/endpoints/${id}/replay`, {
      since: times[1]!,
      until: times[2]!,
    });
    await eventually(async () =>
      expect(await client.must(200, 'GET', `/webhooks/jobs/${jobId}`)).toMatchObject({ status: 'done', total: 1 }),
    );
    const again = await eventually(() => {
      const sent = receiver.on('/span').slice(3);
      expect(sent.length).toBeGreaterThan(0);
      return sent.map(({ body }) => body);
    });
    expect(again).toEqual([before[1]]);
    for (const body of [
      {},
      { since: 'x' },
      { since: times[0], status: 'lost' },
      { since: times[0], more: 1 },
      { since: times[0], until: 4 },
    ])
      expect([body, (await client.post(`/webhooks/endpoints/${id}/replay`, body)).status]).toEqual([body, 400]);
  });

  it('backfills from a time or after an event, and goes on from there, without gap or double', async () => {
    await client.endpoint(receiver.url('/live'), { eventTypes: ['account.connected'] });
    for (const name of ['b1', 'b2', 'b3']) await happen(name);
    await eventually(() => expect(about('/live')).toHaveLength(3));
    const of = (name: string) => receiver.bodies('/live').find(({ data }) => data['accountId'] === `acct_${name}`);
    const [first, second] = [of('b1'), of('b2')];
    const byEvent = await create({
      targetUrl: receiver.url('/after'),
      eventTypes: ['account.connected'],
      startFrom: first!.id,
    });
    const byTime = await create({
      targetUrl: receiver.url('/since'),
      eventTypes: ['account.connected'],
      startFrom: second!.createdAt,
    });
    const now = await create({ targetUrl: receiver.url('/now'), eventTypes: ['account.connected'], startFrom: 'now' });
    expect([byEvent.status, byTime.status, now.status]).toEqual([201, 201, 201]);
    await happen('b4');
    // Only an ordered endpoint is promised an order, and that for each entity: here the numbers say it.
    await eventually(() => expect(about('/after').sort()).toEqual(['acct_b2', 'acct_b3', 'acct_b4']));
    await eventually(() => expect(about('/since').sort()).toEqual(['acct_b2', 'acct_b3', 'acct_b4']));
    await eventually(() => expect(about('/now')).toEqual(['acct_b4']));
    await eventually(() => expect(about('/live')).toHaveLength(4));
    expect(inOrder('/after').map(({ body }) => body)).toEqual(
      inOrder('/live')
        .slice(1)
        .map(({ body }) => body),
    );
    expect(inOrder('/after').map(({ number }) => number)).toEqual([1, 2, 3]);
    const unknown = await create({ targetUrl: receiver.url('/x'), eventTypes: ['*'], startFrom: 'evt_never_seen' });
    expect([400, 422]).toContain(unknown.status);
  });

  it('backfills after the second of two messages that one event became', async () => {
    await client.endpoint(receiver.url('/two'), { eventTypes: ['image.generation_failed', 'operation.failed'] });
    const failed = async (id: string) => {
      await client.must(201, 'POST', '/operations', { id, kind: 'image' });
      await client.must(200, 'POST', `/operations/${id}/fail`, { error: { code: 'x', message: 'm' } });
    };
    await failed('op_two1');
    await eventually(() => expect(receiver.on('/two')).toHaveLength(2));
    const startFrom = receiver.bodies('/two').find(({ type }) => type === 'operation.failed')!.id;
    await client.endpoint(receiver.url('/second'), { eventTypes: ['operation.failed'], startFrom });
    await failed('op_two2');
    await eventually(() =>
      expect(receiver.bodies('/second').map(({ data }) => data['operationId'])).toEqual(['op_two2']),
    );
  });

  it('backfills after the first of two messages that one event became: the second is still to come', async () => {
    await client.endpoint(receiver.url('/one'), { eventTypes: ['image.generation_failed'] });
    await client.must(201, 'POST', '/operations', { id: 'op_half', kind: 'image' });
    await client.must(200, 'POST', '/operations/op_half/fail', { error: { code: 'x', message: 'm' } });
    await eventually(() => expect(receiver.on('/one')).toHaveLength(1));
    const startFrom = receiver.bodies('/one')[0]!.id;
    await client.endpoint(receiver.url('/half'), {
      eventTypes: ['image.generation_failed', 'operation.failed'],
      startFrom,
    });
    await eventually(() =>
      expect(receiver.bodies('/half').map(({ type, data }) => [type, data['operationId']])).toEqual([
        ['operation.failed', 'op_half'],
      ]),
    );
  });

  it('backfills after any of the messages in which a contract tells one event', async () => {
    const platforms = ['instagram', 'linkedin', 'x9'];
    const accounts = await Promise.all(platforms.map((platform) => client.account(`parts_${platform}`, platform)));
    const postiz = { contract: 'postiz', eventTypes: ['PostScheduled'], ordered: true };
    await client.endpoint(receiver.url('/parts'), postiz);
    await client.must(201, 'POST', '/posts', {
      profileId: 'prof_1',
      content: { text: 'x' },
      destinations: accounts.map(({ id: accountId }, n) => ({ accountId, platform: platforms[n] })),
      scheduledAt: '2090-01-01T00:00:00Z',
    });
    await eventually(() => expect(receiver.on('/parts')).toHaveLength(3));
    const ids = inOrder('/parts').map(({ body }) => (JSON.parse(body) as { event_id: string }).event_id);
    for (const [n, startFrom] of ids.entries())
      await client.endpoint(receiver.url(`/parts-after-${n}`), { ...postiz, startFrom });
    await client.must(201, 'POST', '/posts', {
      profileId: 'prof_1',
      content: { text: 'x' },
      destinations: [{ accountId: accounts[0]!.id, platform: platforms[0] }],
      scheduledAt: '2090-01-01T00:00:00Z',
    });
    await eventually(() => expect(receiver.on('/parts')).toHaveLength(4));
    const all = inOrder('/parts').map(({ body }) => body);
    for (const n of ids.keys())
      await eventually(() => expect(inOrder(`/parts-after-${n}`).map(({ body }) => body)).toEqual(all.slice(n + 1)));
  });

  it('backfills after the event of a delivery, by the id that its contract gives it', async () => {
    const { id: post } = await client.account('begins');
    await client.endpoint(receiver.url('/ez'), { contract: 'post-ez', eventTypes: ['*'] });
    await client.schedule(post, { id: 'pst_begin_1' });
    await eventually(() => expect(receiver.on('/ez')).toHaveLength(1));
    const startFrom = receiver.bodies('/ez')[0]!.id;
    await client.endpoint(receiver.url('/ez-after'), { contract: 'post-ez', eventTypes: ['*'], startFrom });
    await client.schedule(post, { id: 'pst_begin_2' });
    await eventually(() => expect(JSON.stringify(receiver.bodies('/ez-after'))).toContain('pst_begin_2'));
    expect(JSON.stringify(receiver.bodies('/ez-after'))).not.toContain('pst_begin_1');
  });

  it('serves what a subscriber should have received, in order, signed now, down or not', async () => {
    const { id, signingSecret } = await client.endpoint(receiver.url('/pull'), { eventTypes: ['account.connected'] });
    const path = `/webhooks/endpoints/${id}`;
    await happen('p1');
    await eventually(() => expect(receiver.on('/pull')).toHaveLength(1));
    await client.must(200, 'POST', `${path}/disable`);
    await happen('p2');
    await happen('p3');
    const page = await eventually(async () => {
      const answer = await client.must<{ data: Body[]; nextCursor: string | null }>(200, 'GET', `${path}/events`);
      expect(answer.data.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
      return answer;
    });
    for (const one of page.data) {
      expect(Object.keys(one).sort()).toEqual(['body', 'createdAt', 'headers', 'id', 'sequence', 'type']);
      expect(wrongs(one, signingSecret)).toEqual([]);
      expect(JSON.parse(one['body'])).toMatchObject({ id: one['id'], type: 'account.connected' });
      expect(String(one['headers']['webhook-sequence'])).toBe(String(one['sequence']));
      expect(one['createdAt']).toMatch(ISO);
    }
    expect(page.data[0]!['body']).toBe(receiver.on('/pull')[0]!.body);
    const rest = await client.must<{ data: Body[]; nextCursor: string }>(200, 'GET', `${path}/events?after=1&limit=1`);
    expect(rest.data.map(({ sequence }) => sequence)).toEqual([2]);
    const cursor = rest.nextCursor;
    const next = await client.must<{ data: Body[] }>(200, 'GET', `${path}/events?cursor=${cursor}&limit=1`);
    expect(next.data.map(({ sequence }) => sequence)).toEqual([3]);
    expect((await client.must<{ data: Body[] }>(200, 'GET', `${path}/events?after=3`)).data).toEqual([]);
    for (const query of ['after=x', 'after=-1', 'after=1.5', 'limit=201', 'limit=0', 'more=1'])
      expect([query, (await client.get(`${path}/events?${query}`)).status]).toEqual([query, 400]);
  });

  it('signs with both secrets during an overlap, and with the new one alone after it', async () => {
    const { id, signingSecret: old } = await client.endpoint(receiver.url('/turn'), {
      eventTypes: ['account.connected'],
    });
    const ez = await client.endpoint(receiver.url('/turn-ez'), { eventTypes: ['*'], contract: 'post-ez' });
    const rotate = (endpoint: string, body: object = {}) =>
      client.must<{ signingSecret: string }>(200, 'POST', `/webhooks/endpoints/${endpoint}/rotate-secret`, body);
    const { signingSecret: young } = await rotate(id);
    expect(young).not.toBe(old);
    await happen('r1');
    await eventually(() => expect(receiver.on('/turn')).toHaveLength(1));
    expect(wrongs(receiver.on('/turn')[0]!, old, young)).toEqual([]);
    const { signingSecret: youngest } = await rotate(id, { overlapHours: 0 });
    await happen('r2');
    await eventually(() => expect(receiver.on('/turn')).toHaveLength(2));
    expect(wrongs(receiver.on('/turn')[1]!, youngest)).toEqual([]);

    const turned = await rotate(ez.id, { overlapHours: 1 });
    await client.must(200, 'POST', `/webhooks/endpoints/${ez.id}/test`);
    expect(wrongs(receiver.on('/turn-ez')[0]!, ez.signingSecret, turned.signingSecret)).toEqual([]);
    expect(receiver.on('/turn-ez')[0]!.headers['x-postez-signature']).toMatch(
      /^t=\d+,v1=[0-9a-f]{64},v1=[0-9a-f]{64}$/,
    );
    for (const body of [{ overlapHours: -1 }, { overlapHours: 'x' }, { hours: 1 }])
      expect((await client.post(`/webhooks/endpoints/${id}/rotate-secret`, body)).status).toBe(400);
    const options = { headers: { 'idempotency-key': 'rotate-1' } };
    const [one, two] = await Promise.all(
      [1, 2].map(() => client.post(`/webhooks/endpoints/${id}/rotate-secret`, {}, options)),
    );
    expect(one!.text).toBe(two!.text);
  });

  it('sends a sample of the type asked for, and says what came back', async () => {
    const { id } = await client.endpoint(receiver.url('/sample'), { eventTypes: ['team.*'] });
    const test = (body?: object) => client.call<Body>('POST', `/webhooks/endpoints/${id}/test`, body);
    receiver.script(
      '/sample',
      { status: 201, text: 'thanks' },
      { status: 500, text: 'Ünlucky' },
      { status: 302, headers: { location: '/elsewhere' } },
      410,
    );
    const good = await test({ type: 'post.published' });
    expect([good.status, good.body]).toEqual([
      200,
      { delivered: true, statusCode: 201, durationMs: expect.any(Number), response: 'thanks' },
    ]);
    expect(receiver.bodies('/sample')[0]!.type).toBe('post.published');
    expect((await test()).body).toMatchObject({ delivered: false, statusCode: 500, response: 'Ünlucky' });
    expect((await test()).body).toMatchObject({ delivered: false, statusCode: 302 });
    expect(receiver.on('/elsewhere')).toEqual([]);
    await test();
    expect((await client.must<Body>(200, 'GET', `/webhooks/endpoints/${id}`))['status']).toBe('enabled');
    for (const type of ['post.nothing', 'post.*'])
      expect(await test({ type })).toMatchObject({
        status: 422,
        body: { code: 'EVENT_TYPE_UNKNOWN', unknown: [type] },
      });
    const dead = await client.endpoint('http://127.0.0.1:1/', { eventTypes: ['team.*'] });
    const answer = await client.must<Body>(200, 'POST', `/webhooks/endpoints/${dead.id}/test`);
    expect(answer).toMatchObject({ delivered: false, error: expect.any(String) });
    expect(answer).not.toHaveProperty('statusCode');
  });
});
