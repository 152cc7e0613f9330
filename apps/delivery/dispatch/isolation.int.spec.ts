import { eventually, Receiver } from '#testing';
import { DeliveriesQuery } from '#read-models';
import { World } from '../testing/world';

describe('endpoints do not hold each other up', () => {
  let world: World;
  let receiver: Receiver;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open({ retryScale: 0.02 }), Receiver.open()]);
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  const liveEndpoints = (count: number) =>
    eventually(async () =>
      expect(await world.test.db.query("select 1 from delivery.endpoint where phase = 'live'")).toHaveLength(count),
    );

  it('when thirty of sixty hang for ever, the others get everything meanwhile', async () => {
    const worker = await world.worker();
    for (let n = 0; n < 60; n++) {
      receiver.always(`/e${n}`, n < 30 ? 'hang' : 204);
      await world.register(`whe_${n}`, receiver.url(`/e${n}`), { eventTypes: ['region.*'] });
    }
    await world.pass(worker);
    await liveEndpoints(60);
    await world.happen('a', 300);
    const messages = await world.fresh();
    for (let at = 0; at < messages.length; at += 50) await worker.handle(messages.slice(at, at + 50));
    // Long before the first of the hanging has reached its time-out of fifteen seconds.
    await eventually(() => {
      for (let n = 30; n < 60; n++) expect(receiver.on(`/e${n}`)).toHaveLength(300);
    });
    for (let n = 0; n < 30; n++) expect(receiver.on(`/e${n}`).length).toBeLessThanOrEqual(8);
    const { inFlight, buffered } = worker.parts.dispatcher.load;
    expect(inFlight).toBeLessThanOrEqual(30 * 8);
    expect(buffered).toBeLessThanOrEqual(30 * 200);
    worker.kill();
  }, 90_000);

  it('when thirty that kept up hang all at once, the others hardly notice', async () => {
    const worker = await world.worker();
    for (let n = 0; n < 40; n++) await world.register(`whe_${n}`, receiver.url(`/e${n}`), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await liveEndpoints(40);
    await world.happen('a', 60);
    await world.pass(worker);
    await eventually(() => {
      for (let n = 0; n < 40; n++) expect(receiver.on(`/e${n}`)).toHaveLength(60);
    });
    for (let n = 0; n < 30; n++) receiver.always(`/e${n}`, 'hang');
    await world.happen('a', 300);
    const messages = await world.fresh();
    for (let at = 0; at < messages.length; at += 50) await worker.handle(messages.slice(at, at + 50));
    // Long before the first of the hanging has reached its time-out of fifteen seconds.
    await eventually(
      () => {
        for (let n = 30; n < 40; n++) expect(receiver.on(`/e${n}`)).toHaveLength(360);
      },
      { within: 8_000 },
    );
    worker.kill();
  }, 90_000);

  it('and one with a rate gets its deliveries evenly, not in bursts', async () => {
    const worker = await world.worker();
    await world.register('whe_paced', receiver.url('/paced'), { eventTypes: ['region.*'], rateLimitPerSecond: 50 });
    await world.register('whe_free', receiver.url('/free'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await liveEndpoints(2);
    await world.happen('a', 40);
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/free')).toHaveLength(40));
    await eventually(() => expect(receiver.on('/paced')).toHaveLength(40));
    const at = receiver.on('/paced').map((request) => request.at);
    expect(at.at(-1)! - at[0]!).toBeGreaterThanOrEqual(39 * 20 * 0.95);
    for (let n = 10; n < 40; n++) expect(at[n]! - at[n - 10]!).toBeGreaterThanOrEqual(10 * 20 * 0.6);
  });

  it('and one that was away gets all of its backlog when it is back, and of a state only the newest where it wants that', async () => {
    const worker = await world.worker();
    receiver.always('/latest', 500);
    receiver.always('/all', 500);
    await world.register('whe_latest', receiver.url('/latest'), { eventTypes: ['region.*'], latestOnly: true });
    await world.register('whe_all', receiver.url('/all'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await liveEndpoints(2);
    for (let n = 0; n < 5; n++) {
      await world.happen('a', 3);
      await world.happen('b', 1);
      await world.pass(worker);
      await eventually(() => expect(receiver.on('/all').length).toBeGreaterThanOrEqual((n + 1) * 4));
    }
    receiver.always('/latest', 204);
    receiver.always('/all', 204);
    const deliveries = new DeliveriesQuery(world.test.db);
    const statuses = async (endpointId: string) => {
      const { data } = await deliveries.list('ws_1', { endpointId }, { limit: 50 });
      return data.map(({ status, reason }) => reason ?? status);
    };
    await eventually(async () => expect(await statuses('whe_all')).toEqual(Array(20).fill('delivered')), {
      within: 30_000,
    });
    await eventually(
      async () => expect(new Set(await statuses('whe_latest'))).toEqual(new Set(['delivered', 'superseded'])),
      { within: 30_000 },
    );
    const delivered = (
      await deliveries.list('ws_1', { endpointId: 'whe_latest', status: 'delivered' }, { limit: 50 })
    ).data.map(({ sequence }) => sequence);
    // The newest of both entities.
    expect(delivered).toEqual(expect.arrayContaining([20, 19]));
    expect((await statuses('whe_latest')).filter((status) => status === 'superseded').length).toBeGreaterThan(0);
  }, 90_000);
});
