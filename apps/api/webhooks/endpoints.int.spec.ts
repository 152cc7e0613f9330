import { messagesOf } from '#public-messages';
import { DeliveriesQuery } from '#read-models';
import { eventually, Receiver } from '#testing';
import { verifyPostEz, verifyStandard } from '#webhook-signing';
import { bootApi, type BootedApi } from '../testing/boot-api';
import { projectViews } from '../testing/project-views';
import { EndpointTest } from './endpoint-test';

describe('webhook endpoints over HTTP', () => {
  let api: BootedApi;
  let receiver: Receiver;
  beforeAll(async () => {
    api = await bootApi({ views: true });
    receiver = await Receiver.open();
  });
  afterAll(async () => {
    await receiver.close();
    await api.close();
  });

  const register = (fields: object = {}) =>
    api.send('POST', '/webhooks/endpoints', { targetUrl: receiver.url(), eventTypes: ['post.*'], ...fields });

  it('registers with a secret that is shown this once', async () => {
    const answer = await register({ description: 'ours', ordered: true, rateLimitPerSecond: 5, latestOnly: true });
    const { signingSecret, ...endpoint } = answer.body as { signingSecret: string; id: string };
    expect(answer.status).toBe(201);
    expect(signingSecret).toMatch(/^whsec_/);
    expect(endpoint).toEqual({
      id: expect.stringMatching(/^whe_/),
      targetUrl: receiver.url(),
      eventTypes: ['post.*'],
      contract: 'core',
      description: 'ours',
      ordered: true,
      rateLimitPerSecond: 5,
      latestOnly: true,
      status: 'enabled',
      createdAt: expect.any(String),
    });
    expect(await api.send('GET', `/webhooks/endpoints/${endpoint.id}`)).toMatchObject({ status: 200, body: endpoint });
    for (const path of [`/webhooks/endpoints/${endpoint.id}`, '/webhooks/endpoints', '/audit-log'])
      expect((await api.send('GET', path)).text).not.toContain(signingSecret);
    const [registered] = await api.running.engines.store.read(`webhook_endpoint-${api.workspace}:${endpoint.id}`);
    expect(JSON.stringify(registered)).not.toContain(signingSecret);
  });

  it('says what a contract has when it is asked for what it has not', async () => {
    expect(await register({ eventTypes: ['post.published', 'post.exploded'] })).toMatchObject({
      status: 422,
      body: {
        code: 'EVENT_TYPE_UNKNOWN',
        unknown: ['post.exploded'],
        types: expect.arrayContaining(['post.published']),
      },
    });
    expect(await register({ contract: 'posternity', eventTypes: ['post.*'] })).toMatchObject({
      status: 422,
      body: { code: 'EVENT_TYPE_UNKNOWN', types: expect.arrayContaining(['design.approved']) },
    });
    expect(await register({ contract: 'carrier-pigeon' })).toMatchObject({
      status: 422,
      body: { code: 'CONTRACT_UNKNOWN', contracts: expect.arrayContaining(['core', 'post-ez']) },
    });
  });

  it.each([
    'http://example.com/',
    'https://10.0.0.1/',
    'https://user:pass@example.com/',
    'https://example.com:0/',
    'ftp://example.com/',
    'https://192.0.2.1/',
    'nonsense',
  ])('refuses the target %s and says why', async (targetUrl) => {
    expect(await register({ targetUrl })).toMatchObject({
      status: 422,
      body: { code: 'TARGET_REFUSED', reason: expect.any(String) },
    });
  });

  it('takes a rate and an overlap within their bounds', async () => {
    for (const rateLimitPerSecond of [0, 0.009, 100_001, '5'])
      expect(await register({ rateLimitPerSecond })).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '/rateLimitPerSecond' }] },
      });
    for (const rateLimitPerSecond of [0.01, 100_000, null])
      expect(await register({ rateLimitPerSecond })).toMatchObject({ status: 201, body: { rateLimitPerSecond } });
    const path = `/webhooks/endpoints/${(await register()).at('id')}/rotate-secret`;
    for (const overlapHours of [-1, 721, null])
      expect(await api.send('POST', path, { overlapHours })).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '/overlapHours' }] },
      });
    expect((await api.send('POST', path, { overlapHours: 720 })).status).toBe(200);
  });

  it('begins where it is asked to, and refuses what is no beginning', async () => {
    await api.send('POST', '/accounts', { id: 'acct_start', platform: 'instagram', username: 'n', profileId: 'p' });
    const eventId = (await api.send('GET', '/audit-log?entityId=acct_start')).at('data', 0, 'id');
    for (const startFrom of ['now', '2026-01-01T00:00:00+02:00', eventId])
      expect((await register({ startFrom })).status).toBe(201);
    expect(await register({ startFrom: 'evt_00000000-0000-8000-8000-000000000000' })).toMatchObject({
      status: 422,
      body: { code: 'EVENT_UNKNOWN' },
    });
    expect(await register({ startFrom: 'evt_nonsense' })).toMatchObject({ status: 422 });
    expect(await register({ startFrom: 'yesterday' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/startFrom' }] },
    });
    const { apiKey } = (await api.send('POST', '/workspaces', { name: 'Other' })).body as { apiKey: string };
    expect(
      await api.as(apiKey)('POST', '/webhooks/endpoints', {
        targetUrl: receiver.url(),
        eventTypes: ['*'],
        startFrom: eventId,
      }),
    ).toMatchObject({ status: 422 });
  });

  it('begins after a further message of an event, of which it keeps both ids', async () => {
    await api.send('POST', '/operations', { id: 'op_two', kind: 'image' });
    await api.send('POST', '/operations/op_two/fail', { error: { code: 'x', message: 'y' } });
    const { store } = api.running.engines;
    const failed = (await store.read(`operation-${api.workspace}:op_two`)).at(-1)!;
    const [first, further] = messagesOf(failed).map(({ id }) => id);
    for (const [startFrom, kept] of [
      [first, first],
      [further, `${first}/${further}`],
    ]) {
      const { status, body } = await register({ startFrom });
      expect(status).toBe(201);
      const [registered] = await store.read(`webhook_endpoint-${api.workspace}:${(body as { id: string }).id}`);
      expect(registered!.data).toMatchObject({ config: { startFrom: kept } });
    }
  });

  it('begins after what a delivery brought, under the id that its contract gave it', async () => {
    await api.send('POST', '/operations', { id: 'op_brought', kind: 'image' });
    await api.send('POST', '/operations/op_brought/fail', { error: { code: 'x', message: 'y' } });
    const { store, db } = api.running.engines;
    const failed = (await store.read(`operation-${api.workspace}:op_brought`)).at(-1)!;
    const [first, further] = messagesOf(failed).map(({ id }) => id) as [string, string];
    const uuid = (n: number) => `00000000-0000-7000-8000-0000000002${String(n).padStart(2, '0')}`;
    const { id: endpointId } = (await register({ contract: 'post-ez', eventTypes: ['*'] })).body as { id: string };
    // Two that name the delivery, and one that names a part of what the event was told in.
    await db.query(
      `with endpoint as (
         insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
         values ($1, $2, '{}', true, 'live', 0, 0, '[]', 0) returning no
       )
       insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
       select d.id, no, row_number() over (), $3, event_id, message_id, d.id, 'schedule.failed', 'op_brought'
       from endpoint cross join unnest($4::uuid[], $5::uuid[], $6::uuid[]) d (id, event_id, message_id)`,
      [
        api.workspace,
        endpointId,
        failed.position,
        [uuid(1), uuid(2), uuid(3)],
        [first, further, first].map((id) => id.slice(4)),
        [uuid(1), uuid(2), uuid(4)],
      ],
    );
    const { apiKey } = (await api.send('POST', '/workspaces', { name: 'Other' })).body as { apiKey: string };
    for (const [n, kept] of [
      [1, first],
      [2, `${first}/${further}`],
      [4, `${first}/evt_${uuid(4)}`],
    ] as const) {
      const asked = { targetUrl: receiver.url(), eventTypes: ['*'], startFrom: `evt_${uuid(n)}` };
      const { status, body } = await api.send('POST', '/webhooks/endpoints', asked);
      expect([n, status]).toEqual([n, 201]);
      const [registered] = await store.read(`webhook_endpoint-${api.workspace}:${(body as { id: string }).id}`);
      expect(registered!.data).toMatchObject({ config: { startFrom: kept } });
      expect(await api.as(apiKey)('POST', '/webhooks/endpoints', asked)).toMatchObject({
        status: 422,
        body: { code: 'EVENT_UNKNOWN' },
      });
    }
    await db.query("delete from delivery.delivery where key = 'op_brought'");
  });

  it('changes, disables, enables and deletes', async () => {
    const id = (await register()).at('id');
    const path = `/webhooks/endpoints/${id}`;
    expect(await api.send('PATCH', path, { eventTypes: ['*'], description: null })).toMatchObject({
      status: 200,
      body: { eventTypes: ['*'] },
      headers: { etag: '"1"' },
    });
    expect(await api.send('PATCH', path, { targetUrl: 'http://10.0.0.1/' })).toMatchObject({ status: 422 });
    expect(await api.send('PATCH', path, { eventTypes: ['post.lost'] })).toMatchObject({
      status: 422,
      body: { code: 'EVENT_TYPE_UNKNOWN' },
    });
    expect(await api.send('PATCH', path, { contract: 'post-ez' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/contract' }] },
    });
    expect(await api.send('POST', `${path}/disable`)).toMatchObject({
      status: 200,
      body: { status: 'disabled', disabledReason: 'manual' },
    });
    const enabled = await api.send('POST', `${path}/enable`);
    expect(enabled).toMatchObject({ status: 200, body: { status: 'enabled' } });
    expect(enabled.body).not.toHaveProperty('disabledReason');
    expect(await api.send('DELETE', path)).toMatchObject({ status: 204 });
    for (const [method, at] of [
      ['GET', path],
      ['DELETE', path],
      ['POST', `${path}/test`],
      ['POST', `${path}/enable`],
      ['GET', `${path}/events`],
    ] as const)
      expect(await api.send(method, at)).toMatchObject({ status: 404, body: { code: 'ENDPOINT_NOT_FOUND' } });
    await eventually(async () => expect((await api.send('GET', '/webhooks/endpoints')).text).not.toContain(id));
    // Whoever asks for it again finds that in the view: its events are not read for that.
    const read = jest.spyOn(api.running.engines.store, 'read');
    for (const query of ['', '?minRevision=0', '?minRevision=4'])
      expect([query, (await api.send('GET', `${path}${query}`)).status]).toEqual([query, 404]);
    expect(read).not.toHaveBeenCalled();
    read.mockRestore();
  });

  it('sends a sample now, signed by the present secret, and says what came back', async () => {
    for (const [contract, verify] of [
      ['core', verifyStandard],
      ['post-ez', verifyPostEz],
    ] as const) {
      const endpoint = await register({ contract, eventTypes: ['*'], targetUrl: receiver.url(`/${contract}`) });
      const path = `/webhooks/endpoints/${endpoint.at('id')}`;
      expect(await api.send('POST', `${path}/test`)).toMatchObject({
        status: 200,
        body: { delivered: true, statusCode: 204, durationMs: expect.any(Number) },
      });
      const { signingSecret } = (await api.send('POST', `${path}/rotate-secret`, { overlapHours: 0 })).body as {
        signingSecret: string;
      };
      expect(await api.send('POST', `${path}/test`, { type: 'post.published' })).toMatchObject({
        status: 200,
        body: { delivered: true },
      });
      const [first, second] = receiver.on(`/${contract}`);
      const input = ({ headers, body }: NonNullable<typeof first>, secret: string) => ({
        secret,
        headers: headers as Record<string, string>,
        body,
      });
      expect(() => verify(input(first!, endpoint.at('signingSecret')))).not.toThrow();
      expect(() => verify(input(second!, signingSecret))).not.toThrow();
      expect(() => verify(input(second!, endpoint.at('signingSecret')))).toThrow('signature');
      expect(second!.headers).not.toHaveProperty('webhook-sequence');
    }
  });

  it('sends a sample of the endpoint as it is asked for, or none', async () => {
    const { id } = (await register({ targetUrl: receiver.url('/as-asked') })).body as { id: string };
    const path = `/webhooks/endpoints/${id}`;
    const test = (tag: string) => api.send('POST', `${path}/test`, undefined, { 'if-match': tag });
    expect(await test('"0"')).toMatchObject({ status: 200, headers: { etag: '"0"' }, body: { delivered: true } });
    await api.send('PATCH', path, { description: 'another' });
    expect(await test('"0"')).toMatchObject({ status: 412, body: { detail: 'It is at revision 1.' } });
    expect(await test('"1", "0"')).toMatchObject({ status: 200, headers: { etag: '"1"' } });
    expect(receiver.on('/as-asked')).toHaveLength(2);
  });

  it.each(['core', 'post-ez'])('gives a sample as long as the contract %s gives a delivery', async (contract) => {
    const { timeoutSeconds } = (await api.send('GET', '/webhooks/contracts'))
      .at<{ name: string; timeoutSeconds: number }[]>('data')
      .find(({ name }) => name === contract)!;
    const send = jest.spyOn(api.running.app.get(EndpointTest)['sender'], 'send');
    const { id } = (await register({ contract, eventTypes: ['*'], targetUrl: receiver.url('/long') })).body as {
      id: string;
    };
    expect((await api.send('POST', `/webhooks/endpoints/${id}/test`)).at('delivered')).toBe(true);
    expect(send).toHaveBeenCalledWith(expect.objectContaining({ timeoutMs: timeoutSeconds * 1_000 }));
    send.mockRestore();
  });

  it('sends a sample of the workspace that asks, where a contract names it', async () => {
    const fields = { contract: 'cloudevents', eventTypes: ['*'], targetUrl: receiver.url('/named') };
    await api.send('POST', `/webhooks/endpoints/${(await register(fields)).at('id')}/test`);
    const [{ body }] = receiver.on('/named') as unknown as [{ body: string }];
    expect(JSON.parse(body)).toMatchObject({ source: `urn:postledger:workspace:${api.workspace}` });
  });

  it('sends no sample to this machine in production, though the endpoint was registered in the sandbox', async () => {
    const { id } = (await register({ targetUrl: receiver.url('/once') })).body as { id: string };
    const production = await bootApi({
      databaseUrl: api.running.engines.settings.databaseUrl!,
      env: { POSTLEDGER_API_KEY: api.key, POSTLEDGER_MODE: 'production' },
    });
    expect(await production.send('POST', `/webhooks/endpoints/${id}/test`)).toMatchObject({
      status: 200,
      body: { delivered: false, error: expect.stringMatching(/^refused: /) },
    });
    expect(receiver.on('/once')).toEqual([]);
    const again = { targetUrl: receiver.url('/once'), eventTypes: ['*'] };
    expect(await production.send('POST', '/webhooks/endpoints', again)).toMatchObject({
      status: 422,
      body: { code: 'TARGET_REFUSED' },
    });
    await production.close();
  });

  it('signs with both secrets while a rotation overlaps, a day unless said otherwise', async () => {
    const endpoint = await register({ targetUrl: receiver.url('/overlap') });
    const path = `/webhooks/endpoints/${endpoint.at('id')}`;
    const rotated = await api.send('POST', `${path}/rotate-secret`);
    const { data, metadata } = (
      await api.running.engines.store.read(`webhook_endpoint-${api.workspace}:${endpoint.at('id')}`)
    ).at(-1)!;
    const until = Date.parse((data as { overlapUntil: string }).overlapUntil);
    expect(until - Date.parse(metadata.occurredAt)).toBe(24 * 3_600_000);
    await api.send('POST', `${path}/test`);
    const [{ headers, body }] = receiver.on('/overlap') as unknown as [
      { headers: Record<string, string>; body: string },
    ];
    for (const secret of [endpoint.at('signingSecret'), rotated.at('signingSecret')])
      expect(() => verifyStandard({ secret, headers, body })).not.toThrow();
  });

  it('signs no longer with the secret before once its overlap is over', async () => {
    const endpoint = await register({ targetUrl: receiver.url('/over') });
    const path = `/webhooks/endpoints/${endpoint.at('id')}`;
    const rotated = await api.send('POST', `${path}/rotate-secret`, { overlapHours: 0.000_01 });
    const signedBy = async (secret: string) => {
      await api.send('POST', `${path}/test`);
      const { headers, body } = receiver.on('/over').at(-1) as unknown as {
        headers: Record<string, string>;
        body: string;
      };
      return () => verifyStandard({ secret, headers, body });
    };
    await eventually(async () => expect(await signedBy(endpoint.at('signingSecret'))).toThrow('signature'));
    expect(await signedBy(rotated.at('signingSecret'))).not.toThrow();
  });

  it('says how a test failed', async () => {
    receiver.always('/broken', { status: 500, text: 'no' });
    const broken = (await register({ targetUrl: receiver.url('/broken') })).at('id');
    expect(await api.send('POST', `/webhooks/endpoints/${broken}/test`)).toMatchObject({
      status: 200,
      body: { delivered: false, statusCode: 500, response: 'no' },
    });
    const nobody = (await register({ targetUrl: 'http://127.0.0.1:1/' })).at('id');
    expect(await api.send('POST', `/webhooks/endpoints/${nobody}/test`)).toMatchObject({
      status: 200,
      body: { delivered: false, error: expect.stringMatching(/^connect: /) },
    });
    expect(await api.send('POST', `/webhooks/endpoints/${nobody}/test`, { type: 'post.*' })).toMatchObject({
      status: 422,
      body: { code: 'EVENT_TYPE_UNKNOWN' },
    });
  });

  it('serves the catalogue', async () => {
    const contracts = (await api.send('GET', '/webhooks/contracts')).at<{ name: string }[]>('data');
    expect(contracts.map(({ name }) => name).sort()).toEqual([
      'cloudevents',
      'core',
      'post-ez',
      'posternity',
      'posteverywhere',
      'postiz',
      'standard',
    ]);
    expect(contracts.find(({ name }) => name === 'post-ez')).toEqual({
      name: 'post-ez',
      version: 1,
      types: expect.arrayContaining(['schedule.created']),
      signature: 'post-ez',
      retryDelaysSeconds: [30, 120, 600, 3_600, 21_600],
      timeoutSeconds: 10,
    });
    const types = (await api.send('GET', '/webhooks/event-types?contract=postiz')).at<object[]>('data');
    expect(types).toContainEqual({
      contract: 'postiz',
      type: 'PostPublished',
      description: expect.any(String),
      schema: expect.any(Object),
      example: expect.any(Object),
    });
    expect(await api.send('GET', '/webhooks/event-types?contract=none')).toMatchObject({
      status: 422,
      body: { code: 'CONTRACT_UNKNOWN' },
    });
  });

  it('takes a replay as a job that can be looked at from the first moment', async () => {
    const id = (await register()).at('id');
    const job = await api.send('POST', `/webhooks/endpoints/${id}/replay`, {
      since: '1969-01-01T00:00:00Z',
      status: 'parked',
    });
    expect(job).toMatchObject({ status: 202, body: { jobId: expect.stringMatching(/^job_/) } });
    // Deliveries are found by ids that begin in 1970.
    const requested = async () =>
      (await api.running.engines.store.read(`webhook_endpoint-${api.workspace}:${id}`)).at(-1)!.data;
    const begin = '1970-01-01T00:00:00.000Z';
    expect(await requested()).toMatchObject({ since: begin, until: null, status: 'parked' });
    const before = { since: '1960-01-01T00:00:00Z', until: '1965-01-01T00:00:00Z' };
    expect((await api.send('POST', `/webhooks/endpoints/${id}/replay`, before)).status).toBe(202);
    expect(await requested()).toMatchObject({ since: begin, until: begin, status: null });
    expect(await api.send('GET', `/webhooks/jobs/${job.at('jobId')}`)).toMatchObject({
      status: 200,
      body: { status: 'running', total: 0, done: 0 },
    });
    expect(await api.send('GET', '/webhooks/jobs/job_none')).toMatchObject({
      status: 404,
      body: { code: 'JOB_NOT_FOUND' },
    });
    for (const until of ['2026-01-01T00:00:00Z', '2026-01-02T01:00:00+01:00'])
      expect(
        await api.send('POST', `/webhooks/endpoints/${id}/replay`, { since: '2026-01-02T00:00:00Z', until }),
      ).toMatchObject({ status: 400, body: { errors: [{ pointer: '/until' }] } });
    expect(await api.send('GET', '/webhooks/deliveries?from=1901-01-01T00:00:00Z')).toMatchObject({
      status: 200,
      body: { data: [], nextCursor: null },
    });
    expect(await api.send('GET', `/webhooks/endpoints/${id}/events?after=3`)).toMatchObject({
      status: 200,
      body: { data: [], nextCursor: null },
    });
  });

  it('answers a change when the delivery service goes by it', async () => {
    const { db } = api.running.engines;
    const { id } = (await register()).body as { id: string };
    await db.query(
      `insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
       values ($1, $2, '{}', true, 'live', 0, 0, '[]', 0)`,
      [api.workspace, id],
    );
    await db.query(
      "insert into delivery.worker (id, name, beat_at) values ('00000000-0000-7000-8000-000000000009', 'there', now() + interval '1 hour')",
    );
    const knows = jest.spyOn(DeliveriesQuery.prototype, 'knows');
    let isAnswered = false;
    const changing = api.send('POST', `/webhooks/endpoints/${id}/disable`).finally(() => (isAnswered = true));
    await eventually(() => knows.mock.calls.length > 1);
    expect(isAnswered).toBe(false);
    await db.query('update delivery.endpoint set position = $2 where id = $1', [id, knows.mock.calls[0]![2]]);
    expect(await changing).toMatchObject({ status: 200, body: { status: 'disabled' } });
    // Not when there is nothing to hear of, nor when nobody is there to hear of it.
    knows.mockClear();
    expect((await api.send('POST', `/webhooks/endpoints/${id}/disable`)).status).toBe(200);
    await db.query("update delivery.worker set beat_at = now() - interval '6 s'");
    expect(await api.send('POST', `/webhooks/endpoints/${id}/enable`)).toMatchObject({ body: { status: 'enabled' } });
    expect(knows).not.toHaveBeenCalled();
    knows.mockRestore();
    await db.query('delete from delivery.worker');
  });

  describe('a delivery, while the delivery service is behind', () => {
    /** One that waits for its first attempt. */
    const delivery = async (nth: number, body = '{}') => {
      const { id } = (await register()).body as { id: string };
      const { db } = api.running.engines;
      const uuid = `00000000-0000-7000-8000-00000000000${nth}`;
      await db.query(
        `with endpoint as (
           insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
           values ($1, $2, '{}', true, 'live', 0, 0, '[]', 0) returning no
         ), body as (insert into delivery.body (id, body) values ($3, $4))
         insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
         select $3, no, 1, 1, $3, $3, $3, 'post.published', 'pst_1' from endpoint`,
        [api.workspace, id, uuid, body],
      );
      const logged = () => api.running.engines.store.read(`webhook_delivery-${api.workspace}:dlv_${uuid}`);
      return { path: `/webhooks/deliveries/dlv_${uuid}`, uuid, endpointId: id, logged };
    };
    /** As if the process had died between the effect and the answer. */
    const lose = (key: string) =>
      api.running.engines.db.query(
        "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = $1",
        [key],
      );

    it('is not said to be discarded before it is', async () => {
      const { path } = await delivery(1);
      expect(await api.send('DELETE', path)).toMatchObject({
        status: 504,
        body: { code: 'DISCARD_NOT_CONFIRMED' },
        headers: { 'retry-after': '1' },
      });
    }, 20_000);

    it('is not said to be discarded when it was delivered first', async () => {
      const { path, uuid, logged } = await delivery(2);
      const discarding = api.send('DELETE', path);
      await eventually(async () => expect(await logged()).toHaveLength(1));
      await api.running.engines.db.query(
        'insert into delivery.attempt (delivery_id, number, at, duration_ms, ok) values ($1, 1, now(), 1, true)',
        [uuid],
      );
      expect(await discarding).toMatchObject({ status: 409, body: { code: 'DELIVERY_NOT_DISCARDABLE' } });
      expect(await api.send('DELETE', path)).toMatchObject({ status: 409, body: { code: 'DELIVERY_NOT_DISCARDABLE' } });
      expect(await logged()).toHaveLength(1);
    });

    it('is pulled with those before and after it in order, a page at a time, signed by the present secret', async () => {
      const { id, signingSecret } = (await register()).body as { id: string; signingSecret: string };
      await api.running.engines.db.query(
        `with endpoint as (
           insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
           values ($1, $2, '{}', true, 'live', 0, 0, '[]', 0) returning no
         ), made as (
           select no, n, ('00000000-0000-7000-8000-0000000001' || lpad(n::text, 2, '0'))::uuid as id
           from endpoint cross join generate_series(1, 5) n
         ), body as (insert into delivery.body (id, body) select id, '{"n":' || n || '}' from made)
         insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
         select id, no, n, n, id, id, id, 'post.published', 'pst_1' from made`,
        [api.workspace, id],
      );
      type Pulled = { sequence: number; id: string; headers: Record<string, string>; body: string };
      const pull = async (query: string) => {
        const answer = await api.send('GET', `/webhooks/endpoints/${id}/events?${query}`);
        const data = answer.at<Pulled[]>('data');
        for (const { headers, body, ...item } of data) {
          expect([body, headers['webhook-id'], headers['webhook-sequence']]).toEqual([
            `{"n":${item.sequence}}`,
            item.id,
            String(item.sequence),
          ]);
          expect(() => verifyStandard({ secret: signingSecret, headers, body })).not.toThrow();
        }
        return { sequences: data.map(({ sequence }) => sequence), next: answer.at<string | null>('nextCursor') };
      };
      expect(await pull('')).toEqual({ sequences: [1, 2, 3, 4, 5], next: null });
      const { sequences, next } = await pull('after=1&limit=2');
      expect(sequences).toEqual([2, 3]);
      expect(await pull(`after=1&limit=2&cursor=${next}`)).toEqual({ sequences: [4, 5], next: null });
      expect(await pull('after=5')).toEqual({ sequences: [], next: null });
      expect(await api.send('GET', `/webhooks/endpoints/${id}/events?cursor=1e3`)).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '/cursor' }] },
      });
    });

    it('says of what was erased that it was, pulled and by its id', async () => {
      const sealed = JSON.stringify({ email: { $sealed: `usr_gone.1.${'x'.repeat(40)}` } });
      const { path, endpointId } = await delivery(6, sealed);
      const gone = { body: '{"email":null}', erased: true };
      const pulled = await api.send('GET', `/webhooks/endpoints/${endpointId}/events`);
      expect([pulled.at('data', 0), (await api.send('GET', path)).body]).toMatchObject([gone, gone]);
    });

    it('is in no list of what was made before there were any', async () => {
      const { endpointId } = await delivery(5);
      const made = (to: string) => api.send('GET', `/webhooks/deliveries?endpointId=${endpointId}&to=${to}`);
      expect((await made('2026-01-01T00:00:00Z')).at('data')).toHaveLength(1);
      for (const to of ['1901-01-01T00:00:00Z', '1970-01-01T00:00:00Z'])
        expect((await made(to)).body).toEqual({ data: [], nextCursor: null });
    });

    it('is not asked to be discarded when it is already', async () => {
      const { path, uuid, logged } = await delivery(3);
      await api.running.engines.db.query(
        "update delivery.delivery set state = 'discarded', reason = 'disabled' where id = $1",
        [uuid],
      );
      expect(await api.send('DELETE', path)).toMatchObject({ status: 204, text: '' });
      expect(await logged()).toEqual([]);
    });

    it('has the revision of what was done of what was asked for, and is waited for until it is', async () => {
      const { path, logged } = await delivery(7);
      const replay = (tag?: string) =>
        api.send('POST', `${path}/replay`, undefined, tag === undefined ? {} : { 'if-match': tag });
      const shown = async () => {
        const { status, headers } = await api.send('GET', path);
        return [status, headers['etag']];
      };
      const seen = (revision: number, prefer: string) =>
        api.send('GET', `${path}?minRevision=${revision}`, undefined, { prefer });
      expect(await shown()).toEqual([200, undefined]);
      expect((await replay()).headers['etag']).toBe('"0"');
      expect(await shown()).toEqual([200, undefined]);
      expect(await seen(0, 'wait=0')).toMatchObject({ status: 504, body: { code: 'READ_MODEL_BEHIND' } });
      const patient = seen(0, 'wait=30');
      await api.running.engines.db.query(
        'insert into delivery.inbox (position, index, created_at) values ($1, 0, $2)',
        [(await logged())[0]!.position, (await logged())[0]!.metadata.occurredAt],
      );
      expect(await patient).toMatchObject({ status: 200, headers: { etag: '"0"' } });
      expect(await replay('"0"')).toMatchObject({ status: 202, headers: { etag: '"1"' } });
      expect(await shown()).toEqual([200, '"0"']);
      expect(await replay('"0"')).toMatchObject({ status: 412, body: { code: 'REVISION_STALE' } });
      expect(
        await api.send('GET', '/webhooks/deliveries/dlv_00000000-0000-7000-8000-0000000000ff?minRevision=0'),
      ).toMatchObject({
        status: 404,
        body: { code: 'DELIVERY_NOT_FOUND' },
      });
    });

    it('is replayed once, whatever has become of its endpoint when the request is repeated', async () => {
      const { path, uuid, endpointId, logged } = await delivery(4);
      const replay = (key: string) => api.send('POST', `${path}/replay`, undefined, { 'idempotency-key': key });
      const lost = await replay('a delivery');
      expect(lost.status).toBe(202);
      await lose('a delivery');
      await api.send('POST', `/webhooks/endpoints/${endpointId}/disable`);
      // It waits for its new ladder by now.
      await api.running.engines.db.query(
        `with waiting as (update delivery.delivery set state = 'queued' where id = $1 returning *)
         insert into delivery.queue (endpoint, sequence, key, delivery_id, due_at) select endpoint, sequence, key, id, now() from waiting`,
        [uuid],
      );
      const { status, body, headers } = await replay('a delivery');
      expect([status, body, headers['etag']]).toEqual([202, lost.body, '"0"']);
      expect(await replay('another')).toMatchObject({ status: 409, body: { code: 'ENDPOINT_DISABLED' } });
      expect(await logged()).toHaveLength(1);
    });

    it('is discarded once, and has the same ETag when the request is repeated', async () => {
      const { path, uuid, logged } = await delivery(8);
      const discard = () => api.send('DELETE', path, undefined, { 'idempotency-key': 'a discard' });
      const discarding = discard();
      await eventually(async () => expect(await logged()).toHaveLength(1));
      await api.running.engines.db.query(
        "update delivery.delivery set state = 'discarded', reason = 'discarded' where id = $1",
        [uuid],
      );
      expect(await discarding).toMatchObject({ status: 204, headers: { etag: '"0"' } });
      await lose('a discard');
      expect(await discard()).toMatchObject({ status: 204, headers: { etag: '"0"' } });
      expect(await logged()).toHaveLength(1);
    });
  });

  describe('at another process, before the audit log has what happened', () => {
    let first: BootedApi;
    let other: BootedApi;
    let behind: { stop(): Promise<void> };
    beforeAll(async () => {
      first = await bootApi();
      const databaseUrl = first.running.engines.settings.databaseUrl!;
      other = await bootApi({ databaseUrl, env: { POSTLEDGER_API_KEY: first.key } });
      const { db, wake } = first.running.engines;
      behind = await projectViews({ db, wake, store: { follow: async function* () {} } });
    });
    afterAll(async () => {
      await behind.stop();
      await other.close();
      await first.close();
    });
    const endpoint = (id: string, fields: object = {}) => ({
      id,
      targetUrl: receiver.url(),
      eventTypes: ['*'],
      ...fields,
    });

    it('knows a replay', async () => {
      expect((await first.send('POST', '/webhooks/endpoints', endpoint('whe_job'))).status).toBe(201);
      const job = await first.send('POST', '/webhooks/endpoints/whe_job/replay', { since: '2026-01-01T00:00:00Z' });
      expect(await other.send('GET', `/webhooks/jobs/${job.at('jobId')}`)).toMatchObject({
        status: 200,
        body: { status: 'running', total: 0, done: 0 },
      });
      expect((await other.send('GET', '/webhooks/jobs/job_none')).status).toBe(404);
    });

    it('begins an endpoint after an event', async () => {
      await first.send('POST', '/accounts', { id: 'acct_1', platform: 'instagram', username: 'n', profileId: 'p' });
      const [event] = await first.running.engines.store.read(`account-${first.workspace}:acct_1`);
      const startFrom = `evt_${event!.id}`;
      expect(await other.send('POST', '/webhooks/endpoints', endpoint('whe_after', { startFrom }))).toMatchObject({
        status: 201,
      });
      const [registered] = await first.running.engines.store.read(`webhook_endpoint-${first.workspace}:whe_after`);
      expect(registered!.data).toMatchObject({ config: { startFrom } });
    });

    it('begins an endpoint after a further message of an event that the audit log has and the outbox has not', async () => {
      await first.send('POST', '/operations', { id: 'op_ahead', kind: 'image' });
      await first.send('POST', '/operations/op_ahead/fail', { error: { code: 'x', message: 'y' } });
      const { db, store } = first.running.engines;
      const failed = (await store.read(`operation-${first.workspace}:op_ahead`)).at(-1)!;
      const { id: startFrom } = messagesOf(failed)[1]!;
      await db.query(
        `insert into projector.checkpoint (name, version, shape, status, position)
         values ('audit', 1, '1', 'current', $1), ('outbox', 1, '1', 'current', $1 - 1)`,
        [failed.position],
      );
      const asked = endpoint('whe_further', { startFrom });
      expect(await other.send('POST', '/webhooks/endpoints', asked)).toMatchObject({ status: 201 });
      await db.query('delete from projector.checkpoint');
    });

    it('knows a replay of which the audit log alone tells', async () => {
      const job = await first.send('POST', '/webhooks/endpoints/whe_job/replay', { since: '2026-01-01T00:00:00Z' });
      const { db, store, wake } = first.running.engines;
      const views = await projectViews({ db, store, wake });
      const entry = "select from read.audit where action = 'ReplayRequested' and data::json ->> 'jobId' = $1";
      await eventually(async () => expect(await db.query(entry, [job.at('jobId')])).toHaveLength(1));
      await db.query(
        "insert into projector.checkpoint (name, version, shape, status, position) select 'audit', 1, '1', 'current', max(position) from log.event",
      );
      expect(await other.send('GET', `/webhooks/jobs/${job.at('jobId')}`)).toMatchObject({
        status: 200,
        body: { status: 'running', total: 0, done: 0 },
      });
      await views.stop();
    });
  });
});
