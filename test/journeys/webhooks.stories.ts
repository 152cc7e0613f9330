import { eventually } from '#testing';
import { upTo, type Delivery, type Subscriber, type World } from './main-job.world';
import type { Client } from '../harness/client';

interface FeedItem {
  readonly sequence: number;
  readonly id: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** What a subscriber can rely on. */
export function webhookStories(world: () => World): void {
  it('retries a failing receiver by its ladder, parks the delivery, and replays it with the same id and bytes', async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client, { eventTypes: ['account.connected'] });
    world().receiver.always(core.path, 500);
    await client.account('ann');
    const delivery = await deliveryOf(client, core, 'parked');
    expect(delivery.attempts.map(({ number, statusCode }) => [number, statusCode])).toEqual(
      upTo(10).map((n) => [n, 500]),
    );
    expect(core.requests()).toHaveLength(10);

    world().receiver.always(core.path, 204);
    await client.must(202, 'POST', `/webhooks/deliveries/${delivery.id}/replay`);
    await deliveryOf(client, core, 'delivered');
    const requests = core.requests();
    expect(requests).toHaveLength(11);
    expect(new Set(requests.map(({ body }) => body))).toEqual(new Set([delivery.body]));
    expect(new Set(requests.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([delivery.eventId]));
    expect(requests.map(({ headers }) => headers['webhook-replay'])).toEqual([
      ...upTo(10).map(() => undefined),
      'true',
    ]);
    expect(new Set(core.sequences())).toEqual(new Set([1]));
  });

  it('recovers by itself when a receiver does', async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client, { eventTypes: ['account.connected'] });
    world().receiver.script(core.path, 500, { status: 302, headers: { location: '/elsewhere' } }, 404);
    await client.account('ann');
    const { attempts } = await deliveryOf(client, core, 'delivered');
    expect(attempts.map(({ statusCode }) => statusCode)).toEqual([500, 302, 404, 204]);
  });

  it('disables an endpoint that answers 410, tells the others, and sends it nothing more', async () => {
    const { client } = await world().workspace();
    const [gone, other] = [
      await world().subscriber(client, { eventTypes: ['account.connected'] }),
      await world().subscriber(client, { eventTypes: ['*'] }),
    ];
    world().receiver.always(gone.path, 410);
    await client.account('ann');
    await other.receives('account.connected', 'webhook.endpoint_disabled');
    expect(other.bodies().find(({ type }) => type === 'webhook.endpoint_disabled')!.data).toEqual({
      endpointId: gone.id,
      reason: 'gone',
    });
    await eventually(async () =>
      expect((await client.get(`/webhooks/endpoints/${gone.id}`)).body).toMatchObject({
        status: 'disabled',
        disabledReason: 'gone',
      }),
    );
    await client.account('bob');
    await other.receives('account.connected', 'webhook.endpoint_disabled', 'account.connected');
    expect(gone.requests()).toHaveLength(1);
    await deliveryOf(client, gone, 'discarded', 2);
  });

  it('gives an endpoint all that happens after its registration was answered, hundreds of times', async () => {
    const [workspaces, times] = [20, 12];
    const histories = await Promise.all(
      upTo(workspaces).map(async () => {
        const { client } = await world().workspace();
        const subscribers: Subscriber[] = [];
        const accounts: string[] = [];
        for (let n = 0; n < times; n++) {
          subscribers.push(await world().subscriber(client, { eventTypes: ['account.connected'] }));
          accounts.push((await client.account(`number_${n}`)).id);
        }
        return { subscribers, accounts };
      }),
    );
    const health = await world().standalone.client().get<{ parts: { bus: { engine: string } } }>('/health/ready');
    const isOneLog = health.body.parts.bus.engine === 'PostgreSQL';
    const heard = (subscriber: Subscriber) => subscriber.bodies().map(({ data }) => data['accountId'] as string);
    for (const { subscribers, accounts } of histories)
      for (const [n, subscriber] of subscribers.entries()) {
        const due = accounts.slice(n);
        await eventually(() => expect(heard(subscriber).sort()).toEqual([...due].sort()), { within: 90_000 });
        const inSequence = subscriber.requests().toSorted((a, b) => sequence(a) - sequence(b));
        expect(inSequence.map(sequence)).toEqual(upTo(due.length));
        // Across entities only a bus without partitions of its own keeps the order of the log.
        if (isOneLog)
          expect(
            inSequence.map(({ body }) => (JSON.parse(body) as { data: { accountId: string } }).data.accountId),
          ).toEqual(due);
      }
  }, 300_000);

  it('gives by pull, byte for byte and signed, what it sent', async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client);
    const { id } = await client.account('ann');
    await Promise.all(upTo(5).map(() => client.schedule(id)));
    await eventually(() => expect(core.requests()).toHaveLength(16), { within: 60_000 });
    const pulled: FeedItem[] = [];
    for (let after = 0; ;) {
      const page = await client.must<{ data: FeedItem[]; nextCursor: string | null }>(
        200,
        'GET',
        `/webhooks/endpoints/${core.id}/events?after=${after}&limit=7`,
      );
      pulled.push(...page.data);
      if (page.nextCursor === null) break;
      after = page.data.at(-1)!.sequence;
    }
    expect(pulled.map(({ sequence }) => sequence)).toEqual(upTo(16));
    const sent = core.requests().toSorted((a, b) => sequence(a) - sequence(b));
    expect(pulled.map(({ body }) => body)).toEqual(sent.map(({ body }) => body));
    expect(pulled.map(({ id }) => id)).toEqual(sent.map(({ headers }) => headers['webhook-id']));
    for (const { headers, body } of pulled) core.verify(headers, body);
  });
}

const sequence = ({ headers }: { headers: Record<string, unknown> }): number => Number(headers['webhook-sequence']);

/** Waits until the newest delivery of an endpoint, which has `count` of them, has this status. */
function deliveryOf(client: Client, { id }: Subscriber, status: string, count = 1): Promise<Delivery> {
  return eventually(
    async () => {
      const { data } = await client.must<{ data: Delivery[] }>(200, 'GET', `/webhooks/deliveries?endpointId=${id}`);
      expect(data).toHaveLength(count);
      expect(data[0]!.status).toBe(status);
      return client.must<Delivery>(200, 'GET', `/webhooks/deliveries/${data[0]!.id}`);
    },
    { within: 90_000, every: 50 },
  );
}
