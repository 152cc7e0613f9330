import { deadLetters } from '#messaging';
import { loadSettings, startApp, type RunningApp } from '#platform';
import { eventually, Receiver } from '#testing';
import { deliveryMicroservice, DeliveryModule } from './delivery.module';
import { World } from './testing/world';

describe('the delivery app', () => {
  let world: World;
  let receiver: Receiver;
  let app: RunningApp;
  beforeAll(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
    const settings = loadSettings({
      POSTLEDGER_MODE: 'sandbox',
      DATABASE_URL: world.test.url,
      POSTLEDGER_SECRET_KEY: world.secretKey,
      LOG_LEVEL: 'silent',
    });
    app = await startApp(
      {
        name: 'delivery',
        port: 0,
        modules: (engines) => [DeliveryModule.forRoot(engines)],
        microservices: (engines) => [deliveryMicroservice(engines)],
      },
      { ...settings, port: 0 },
    );
  });
  afterAll(async () => {
    await app.stop();
    await world.close();
    await receiver.close();
  });

  it('takes what is published on the bus, and tells how it is', async () => {
    await world.register('whe_a', receiver.url('/a'), { eventTypes: ['region.*'] });
    await world.happen('a', 3);
    await app.engines.outbox.publish(await world.fresh());
    await eventually(() => expect(receiver.on('/a')).toHaveLength(3));
    const ready = (await (await fetch(`${app.url}/health/ready`)).json()) as {
      status: string;
      parts: Record<string, unknown>;
    };
    expect(ready).toMatchObject({ status: 'ready', parts: { delivery: { ok: true } } });
    const metrics = await (await fetch(`${app.url}/metrics`)).text();
    expect(metrics).toMatch(/postledger_deliveries_taken_total\{app="delivery"\} 3/);
    expect(metrics).toMatch(/postledger_delivery_bus_lag/);
  });

  it('puts aside what it cannot understand, counts it, and goes on', async () => {
    const [good] = (await world.happen('a', 1), await world.fresh());
    await app.engines.outbox.publish([
      { id: 'evt_strange', type: 'post.published', topic: good!.topic, key: 'pst_1', headers: {}, value: 'no JSON' },
      { ...good!, id: 'evt_nowhere', headers: { ...good!.headers, 'postledger-position': 'nowhere' } },
      good!,
    ]);
    await eventually(() => expect(receiver.on('/a')).toHaveLength(4));
    await eventually(async () => {
      const metrics = await (await fetch(`${app.url}/metrics`)).text();
      expect(metrics).toMatch(
        new RegExp(`postledger_delivery_parked_messages_total\\{topic="${good!.topic}",app="delivery"\\} 2`),
      );
      expect(await deadLetters(world.test.db, 'delivery')).toMatchObject([
        { id: 'evt_nowhere', reason: expect.stringContaining('only look like ours') },
        { id: 'evt_strange', reason: expect.stringContaining('has no ') },
      ]);
    });
    const { parts } = (await (await fetch(`${app.url}/health/ready`)).json()) as { parts: Record<string, unknown> };
    expect(parts['intake']).toMatchObject({ ok: true, group: 'delivery', lag: expect.any(Number) });
  });

  it('leaves nothing in its hands when it is stopped while something is under way', async () => {
    receiver.always('/a', (_, response) => void setTimeout(() => response.writeHead(204).end(), 300));
    await world.happen('a', 20);
    await app.engines.outbox.publish(await world.fresh());
    // Four had come before; that some of the twenty are sent shows that all have been taken.
    await eventually(() => expect(receiver.on('/a').length).toBeGreaterThan(4 + 3));
    await app.stop();
    expect(
      await world.test.db.query(
        'select 1 from delivery.lease union all select 1 from delivery.hold union all select 1 from delivery.worker',
      ),
    ).toEqual([]);
    const [{ delivered, waiting }] = (await world.test.db.query<{ delivered: number; waiting: number }>(
      "select count(*) filter (where delivery.status_of(id, state) = 'delivered') as delivered, (select count(*) from delivery.retry) as waiting from delivery.delivery",
    )) as [{ delivered: number; waiting: number }];
    // What was sent was answered and written; the rest waits for another process.
    expect(delivered + waiting).toBe(24);
    expect(delivered).toBe(receiver.on('/a').length);
  });
});
