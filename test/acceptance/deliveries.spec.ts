import { eventually, Receiver } from '#testing';
import type { Client } from '../harness/client';
import { Standalone } from '../harness/standalone';
import { wrongs, type Body, type Data } from './verify';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** One hour of a ladder is 36 ms. */
const SCALE = 1e-5;

describe('deliveries', () => {
  let standalone: Standalone;
  let receiver: Receiver;
  let client: Client;

  const happen = (id: string, platform = 'mastodon'): Promise<unknown> =>
    client.must(201, 'POST', '/accounts', { id: `acct_${id}`, platform, username: id, profileId: 'prof_1' });
  const about = (path: string): string[] => receiver.bodies(path).map(({ data }) => String(data['accountId']));
  const endpoint = (path: string, more: object = {}) =>
    client.endpoint(receiver.url(path), { eventTypes: ['account.connected'], ...more });
  const deliveries = async (query: string): Promise<Body[]> =>
    (await client.must<{ data: Body[] }>(200, 'GET', `/webhooks/deliveries?limit=200&${query}`)).data;
  const inStatus = (endpointId: string, status: string, count = 1): Promise<Body[]> =>
    eventually(
      async () => {
        const found = await deliveries(`endpointId=${endpointId}&status=${status}`);
        expect(found).toHaveLength(count);
        return found;
      },
      { every: 50 },
    );
  const one = (id: unknown): Promise<Body> => client.must(200, 'GET', `/webhooks/deliveries/${id}`);

  beforeAll(async () => {
    standalone = await Standalone.start({ PUBLISHER: 'none', RETRY_SCALE: String(SCALE) });
    receiver = await Receiver.open();
    const { apiKey } = await standalone
      .client()
      .must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Deliveries' });
    client = standalone.client(apiKey);
  });
  afterAll(async () => {
    await receiver.close();
    await standalone.remove();
  });

  it.each([
    ['post-ez', 6],
    ['posternity', 6],
    ['posteverywhere', 5],
    ['postiz', 5],
    ['core', 10],
    ['standard', 10],
    ['cloudevents', 10],
  ])('climb the whole ladder of %s, the same bytes each time, and park', async (contract, attempts) => {
    const path = `/ladder-${contract}`;
    receiver.always(path, 503);
    const types: Record<string, [string[], () => Promise<unknown>]> = {
      'post-ez': [
        ['schedule.created'],
        async () => {
          await happen('for-post-ez');
          return client.schedule('acct_for-post-ez', {
            destinations: [{ accountId: 'acct_for-post-ez', platform: 'mastodon' }],
            scheduledAt: '2031-01-01T00:00:00Z',
          });
        },
      ],
      postiz: [['AccountConnected'], () => happen('for-postiz')],
      posternity: [
        ['design.review_requested'],
        async () => {
          await client.must(201, 'POST', '/designs', { id: 'dsg_1', clientId: 'c' });
          return client.must(200, 'POST', '/designs/dsg_1/submit', {});
        },
      ],
      posteverywhere: [
        ['account.disconnected'],
        async () => {
          await happen('for-pe');
          return client.must(200, 'POST', '/accounts/acct_for-pe/disconnect', { reason: 'removed' });
        },
      ],
    };
    const [eventTypes, act] = types[contract] ?? [['account.connected'], () => happen(`for-${contract}`)];
    const { id, signingSecret } = await endpoint(path, { contract, eventTypes });
    await act();
    const [parked] = await inStatus(id, 'parked');
    await client.must(200, 'POST', `/webhooks/endpoints/${id}/disable`);
    const sent = receiver.on(path);
    expect(sent).toHaveLength(attempts);
    expect(new Set(sent.map(({ body }) => body)).size).toBe(1);
    expect(new Set(sent.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    for (const each of sent) {
      expect(wrongs(each, signingSecret)).toEqual([]);
      expect(each.headers['webhook-sequence']).toBe('1');
    }
    const { data } = await client.must<{ data: Body[] }>(200, 'GET', '/webhooks/contracts');
    const ladder = data.find(({ name }) => name === contract)!['retryDelaysSeconds'] as number[];
    const whole = await one(parked!['id']);
    expect(whole['attempts'].map((attempt) => attempt['number'])).toEqual(
      Array.from({ length: attempts }, (_, n) => n + 1),
    );
    ladder.forEach((seconds, n) => {
      const [before, after] = [whole['attempts'][n], whole['attempts'][n + 1]];
      const waited = Date.parse(after!.at) - Date.parse(before!.at) - before!.durationMs;
      expect(waited).toBeGreaterThanOrEqual(seconds * 1000 * SCALE * 0.9 - 3);
    });
    expect(whole).not.toHaveProperty('nextAttemptAt');
  });

  it('show each attempt, and in the list neither body nor attempts', async () => {
    receiver.script('/shown', { status: 500, text: 'x'.repeat(20_000) }, { status: 400, text: 'Grüße' });
    const { id } = await endpoint('/shown');
    await happen('shown');
    const [listed] = await inStatus(id, 'delivered');
    expect(listed).toMatchObject({
      endpointId: id,
      type: 'account.connected',
      sequence: 1,
      status: 'delivered',
      createdAt: expect.stringMatching(ISO),
    });
    expect(listed).not.toHaveProperty('body');
    expect(listed).not.toHaveProperty('attempts');
    const whole = await one(listed!['id']);
    expect(whole).toMatchObject(listed!);
    expect(whole['body']).toBe(receiver.on('/shown')[0]!.body);
    expect(whole['eventId']).toBe(JSON.parse(whole['body']).id);
    expect(whole['attempts'].map((attempt) => [attempt['number'], attempt['statusCode']])).toEqual([
      [1, 500],
      [2, 400],
      [3, 204],
    ]);
    expect(whole['attempts'][0]!.response).toBe('x'.repeat(16 * 1024));
    expect(whole['attempts'][1]!.response).toBe('Grüße');
    for (const attempt of whole['attempts']) {
      expect(attempt.at).toMatch(ISO);
      expect(typeof attempt.durationMs).toBe('number');
    }
  });

  it('filter by endpoint, status, type and time, newest first, page by page', async () => {
    const { id } = await endpoint('/filtered', { eventTypes: ['account.*'] });
    for (const name of ['f1', 'f2', 'f3']) await happen(name);
    await client.must(200, 'POST', '/accounts/acct_f1/disconnect', { reason: 'removed' });
    const all = await inStatus(id, 'delivered', 4);
    expect(all.map(({ sequence }) => sequence)).toEqual([4, 3, 2, 1]);
    expect(await deliveries(`endpointId=${id}&type=account.disconnected`)).toEqual([all[0]]);
    expect(await deliveries(`endpointId=${id}&status=parked`)).toEqual([]);
    const seen: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: { data: Body[]; nextCursor: string | null } = await client.must(
        200,
        'GET',
        `/webhooks/deliveries?endpointId=${id}&limit=3${cursor && `&cursor=${cursor}`}`,
      );
      seen.push(...page.data.map(({ sequence }) => sequence));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual([4, 3, 2, 1]);
    const from = all[1]!['createdAt'] as string;
    expect((await deliveries(`endpointId=${id}&from=${from}`)).map(({ createdAt }) => createdAt >= from)).not.toContain(
      false,
    );
    expect((await deliveries(`endpointId=${id}&to=${from}`)).map(({ createdAt }) => createdAt < from)).not.toContain(
      false,
    );
    for (const query of ['status=lost', 'limit=201', 'from=x', 'nothing=1', 'cursor=%%%', 'cursor=bm90aGluZw'])
      expect([query, (await client.get(`/webhooks/deliveries?${query}`)).status]).toEqual([query, 400]);
    expect(await deliveries('endpointId=whe_nothing')).toEqual([]);
  });

  it('are listed against their sequence numbers, however many come at once', async () => {
    const { id } = await endpoint('/burst');
    await Promise.all(Array.from({ length: 60 }, (_, n) => happen(`burst-${n}`)));
    const all = await inStatus(id, 'delivered', 60);
    expect(all.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 60 }, (_, n) => 60 - n));
  });

  it('are replayed with the same id and bytes, a fresh signature and a ladder of their own', async () => {
    const { id, signingSecret } = await endpoint('/again');
    await happen('again');
    const [delivered] = await inStatus(id, 'delivered');
    receiver.script('/again', 500, 500);
    const answer = await client.post(`/webhooks/deliveries/${delivered!['id']}/replay`);
    expect(answer).toMatchObject({ status: 202, body: { id: delivered!['id'], status: 'pending' } });
    await eventually(() => expect(receiver.on('/again')).toHaveLength(4));
    const [first, ...replays] = receiver.on('/again');
    for (const replay of replays) {
      expect(replay.body).toBe(first!.body);
      expect(replay.headers['webhook-id']).toBe(first!.headers['webhook-id']);
      expect(replay.headers['webhook-replay']).toBe('true');
      expect(replay.headers['webhook-sequence']).toBe('1');
      expect(wrongs(replay, signingSecret)).toEqual([]);
    }
    await inStatus(id, 'delivered');
  });

  it('can be replayed when parked, and discarded for good', async () => {
    receiver.always('/rescue', 500);
    const { id } = await endpoint('/rescue', { contract: 'postiz', eventTypes: ['AccountConnected'] });
    await happen('rescue1');
    await happen('rescue2');
    const parked = await inStatus(id, 'parked', 2);
    receiver.always('/rescue', 200);
    const path = `/webhooks/deliveries/${parked[0]!['id']}`;
    const { status, headers } = await client.post(`${path}/replay`);
    const etag = headers.get('etag')!;
    const seen = await client.get(`${path}?minRevision=${JSON.parse(etag)}`);
    expect([status, seen.status, seen.headers.get('etag')]).toEqual([202, 200, etag]);
    expect(seen.body['status']).not.toBe('parked');
    await inStatus(id, 'delivered');
    expect((await client.delete(`/webhooks/deliveries/${parked[1]!['id']}`)).status).toBe(204);
    await inStatus(id, 'discarded');
    expect((await one(parked[1]!['id']))['status']).toBe('discarded');
  });

  it('are not replayed to an endpoint that is disabled or deleted', async () => {
    const { id } = await endpoint('/closed');
    await happen('closed');
    const [delivered] = await inStatus(id, 'delivered');
    const path = `/webhooks/deliveries/${delivered!['id']}/replay`;
    const refused = { status: 409, body: { code: 'ENDPOINT_DISABLED' } };
    await client.must(200, 'POST', `/webhooks/endpoints/${id}/disable`);
    expect(await client.post(path)).toMatchObject(refused);
    await client.must(200, 'POST', `/webhooks/endpoints/${id}/enable`);
    await client.must(202, 'POST', path);
    await eventually(() => expect(receiver.on('/closed')).toHaveLength(2));
    await client.delete(`/webhooks/endpoints/${id}`);
    expect(await client.post(path)).toMatchObject(refused);
  });

  it('tell others of what was parked, never the endpoint itself', async () => {
    receiver.always('/self', 500);
    const { id } = await endpoint('/self', { contract: 'core', eventTypes: ['account.connected', 'webhook.*'] });
    const watcher = await endpoint('/watch', { eventTypes: ['webhook.*'] });
    await happen('self');
    const [parked] = await inStatus(id, 'parked');
    await eventually(() =>
      expect(receiver.bodies('/watch').map(({ type, data }) => [type, data])).toContainEqual([
        'webhook.delivery_parked',
        { endpointId: id, deliveryId: parked!['id'], eventType: 'account.connected', attempts: 10 },
      ]),
    );
    const { data: entries } = await client.must<{ data: { id: string; action: string; causationId: string }[] }>(
      200,
      'GET',
      '/audit-log?limit=200',
    );
    const told = entries.find(({ action }) => action === 'DeliveryParked')!;
    expect(entries.find(({ id }) => id === told.causationId)).toMatchObject({ action: 'AccountConnected' });
    await client.must(200, 'POST', `/webhooks/endpoints/${id}/disable`);
    await eventually(() =>
      expect(receiver.bodies('/watch').map(({ type, data }) => [type, data])).toContainEqual([
        'webhook.endpoint_disabled',
        { endpointId: id, reason: 'manual' },
      ]),
    );
    expect(
      receiver
        .bodies('/self')
        .map(({ type }) => type)
        .filter((type) => type.startsWith('webhook.')),
    ).toEqual([]);
    await client.must(204, 'DELETE', `/webhooks/endpoints/${watcher.id}`);
  });

  it('end with a 410: the endpoint is disabled as gone and what waited is discarded', async () => {
    receiver.script('/gone', { status: 503, headers: { 'retry-after': '3600' } }, 410);
    const { id } = await endpoint('/gone');
    await happen('gone1');
    await inStatus(id, 'retrying');
    await happen('gone2');
    await eventually(async () =>
      expect(await client.must(200, 'GET', `/webhooks/endpoints/${id}`)).toMatchObject({
        status: 'disabled',
        disabledReason: 'gone',
      }),
    );
    await inStatus(id, 'discarded', 2);
    const on = await client.must<Body>(200, 'POST', `/webhooks/endpoints/${id}/enable`);
    expect(on['status']).toBe('enabled');
    await happen('gone3');
    await inStatus(id, 'delivered');
    expect(receiver.on('/gone').map(({ headers }) => headers['webhook-sequence'])).toEqual(['1', '2', '3']);
  });

  it.each([
    ['seconds on 429', 429, () => '120', 120],
    ['a date on 503', 503, () => new Date(Date.now() + 240_000).toUTCString(), 240],
    ['more than a day', 503, () => String(10 * 86_400), 86_400],
  ])('wait as long as Retry-After says: %s', async (what, status, after, seconds) => {
    const path = `/wait-${status}-${seconds}`;
    receiver.script(path, { status, headers: { 'retry-after': after() } });
    const { id } = await endpoint(path);
    await happen(`wait-${seconds}`);
    const [waiting] = await inStatus(id, 'retrying');
    const wait = (Date.parse(waiting!['nextAttemptAt']) - Date.now()) / 1000;
    expect([what, wait > seconds - 15 && wait < seconds + 3]).toEqual([what, true]);
    await client.must(204, 'DELETE', `/webhooks/endpoints/${id}`);
  });

  it.each([
    ['400', { status: 400, headers: { 'retry-after': '3600' } }],
    ['a time gone by', { status: 503, headers: { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' } }],
    ['nonsense', { status: 429, headers: { 'retry-after': 'soon' } }],
    ['a negative time', { status: 429, headers: { 'retry-after': '-5' } }],
  ])('take no notice of Retry-After on %s', async (_what, reply) => {
    const path = `/notice-${encodeURIComponent(_what)}`;
    receiver.script(path, reply);
    const { id } = await endpoint(path);
    await happen(`notice-${_what.replace(/\W/g, '')}`);
    await inStatus(id, 'delivered');
    await client.must(204, 'DELETE', `/webhooks/endpoints/${id}`);
  });

  it.each([301, 302, 307, 308, 304])('fail on the redirect %i and never follow it', async (status) => {
    const path = `/redirect-${status}`;
    receiver.script(path, { status, headers: { location: receiver.url('/followed') } });
    const { id } = await endpoint(path);
    await happen(`redirect-${status}`);
    const [delivered] = await inStatus(id, 'delivered');
    expect((await one(delivered!['id']))['attempts'].map((attempt) => attempt['statusCode'])).toEqual([status, 204]);
    expect(receiver.on('/followed')).toEqual([]);
    await client.must(204, 'DELETE', `/webhooks/endpoints/${id}`);
  });

  it('keep the order of an entity on an ordered endpoint, holding back only that entity', async () => {
    let open = false;
    receiver.always('/ordered', (received, response) => {
      const { data } = JSON.parse(received.body) as { data: Data };
      // Tried again every other second: its ladder lasts longer than all that has to happen while it fails.
      if (data['accountId'] === 'acct_o1' && !open) response.writeHead(503, { 'retry-after': '2' }).end();
      else response.writeHead(204).end();
    });
    const { id } = await endpoint('/ordered', { eventTypes: ['account.*'], ordered: true });
    await happen('o1');
    await client.must(200, 'POST', '/accounts/acct_o1/disconnect', { reason: 'removed' });
    await happen('o2');
    await client.must(200, 'POST', '/accounts/acct_o2/disconnect', { reason: 'removed' });
    await eventually(() => expect(about('/ordered').filter((name) => name === 'acct_o2')).toHaveLength(2));
    expect(
      receiver
        .bodies('/ordered')
        .filter(({ type, data }) => type === 'account.disconnected' && data['accountId'] === 'acct_o1'),
    ).toEqual([]);
    open = true;
    await eventually(() =>
      expect(
        receiver
          .bodies('/ordered')
          .filter(({ type, data }) => type === 'account.disconnected' && data['accountId'] === 'acct_o1'),
      ).toHaveLength(1),
    );
    await inStatus(id, 'delivered', 4);
  });

  it('let the next of an entity go when the one before is parked or discarded', async () => {
    receiver.always('/released', (received, response) => {
      response.writeHead(received.headers['webhook-sequence'] === '1' ? 500 : 204).end();
    });
    const { id } = await endpoint('/released', { eventTypes: ['account.*'], ordered: true });
    await happen('rel');
    await client.must(200, 'POST', '/accounts/acct_rel/disconnect', { reason: 'removed' });
    await inStatus(id, 'parked');
    await inStatus(id, 'delivered');

    receiver.always('/dropped', (received, response) => {
      response.writeHead(received.headers['webhook-sequence'] === '1' ? 503 : 204, { 'retry-after': '600' }).end();
    });
    const dropped = await endpoint('/dropped', { eventTypes: ['account.*'], ordered: true });
    await happen('drop');
    await client.must(200, 'POST', '/accounts/acct_drop/disconnect', { reason: 'removed' });
    const [stuck] = await inStatus(dropped.id, 'retrying');
    await client.must(204, 'DELETE', `/webhooks/deliveries/${stuck!['id']}`);
    await eventually(() =>
      expect(receiver.on('/dropped').map(({ headers }) => headers['webhook-sequence'])).toEqual(['1', '2']),
    );
  });

  it('keep to the rate an endpoint asks for', async () => {
    const { id } = await endpoint('/paced', { rateLimitPerSecond: 5 });
    const began = performance.now();
    await Promise.all(Array.from({ length: 12 }, (_, n) => happen(`paced-${n}`)));
    await inStatus(id, 'delivered', 12);
    const sent = await Promise.all((await deliveries(`endpointId=${id}`)).map((delivery) => one(delivery['id'])));
    const times = sent.map(({ attempts }) => Date.parse(attempts[0]!.at)).sort((a, b) => a - b);
    // As the sender notes them: what was sent evenly may come together where the receiver was busy.
    for (let n = 6; n < times.length; n++) expect(times[n]! - times[n - 6]!).toBeGreaterThanOrEqual(900);
    receiver.on('/paced').forEach(({ at }, n) => expect(at - began).toBeGreaterThanOrEqual(n * 200));
  });

  it('give up on an answer that never ends when the time of the contract is over', async () => {
    const trickling: NodeJS.Timeout[] = [];
    receiver.always('/trickle', (_received, response) => {
      response.writeHead(200);
      trickling.push(setInterval(() => response.write('.'), 200));
    });
    receiver.always('/silent', 'hang');
    const slow = await client.endpoint(receiver.url('/trickle'), { contract: 'post-ez' });
    const silent = await client.endpoint(receiver.url('/silent'), { contract: 'core', eventTypes: ['team.*'] });
    const [trickled, hung] = await Promise.all(
      [slow, silent].map(({ id }) => client.must<Body>(200, 'POST', `/webhooks/endpoints/${id}/test`)),
    );
    trickling.forEach(clearInterval);
    expect(trickled).toMatchObject({ delivered: false, error: expect.any(String) });
    expect(trickled!['durationMs']).toBeGreaterThan(9_500);
    expect(trickled!['durationMs']).toBeLessThan(14_500);
    expect(hung).toMatchObject({ delivered: false, error: expect.any(String) });
    expect(hung!['durationMs']).toBeGreaterThan(14_500);
    expect(hung!['durationMs']).toBeLessThan(29_500);
  });
});
