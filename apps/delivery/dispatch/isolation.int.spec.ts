import type { ServerResponse } from 'node:http';
import { eventually, Receiver } from '#testing';
import { DeliveriesQuery } from '#read-models';
import { World } from '../testing/world';

/** Its contract has the longest time-out: thirty seconds. */
const PATIENT = { contract: 'posternity', eventTypes: ['region.*'] };
const BEFORE_TIME_OUT = { within: 28_000 };

describe('endpoints do not hold each other up', () => {
  let world: World;
  let receiver: Receiver;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  it('when thirty of sixty hang for ever, the others get everything meanwhile', async () => {
    const worker = await world.worker();
    for (let n = 0; n < 60; n++) {
      receiver.always(`/e${n}`, n < 30 ? 'hang' : 204);
      await world.register(`whe_${n}`, receiver.url(`/e${n}`), PATIENT);
    }
    await world.pass(worker);
    await world.live(60);
    await world.happen('a', 300);
    const messages = await world.fresh();
    for (let at = 0; at < messages.length; at += 50) await worker.handle(messages.slice(at, at + 50));
    await eventually(() => {
      for (let n = 30; n < 60; n++) expect(receiver.on(`/e${n}`)).toHaveLength(300);
    }, BEFORE_TIME_OUT);
    for (let n = 0; n < 30; n++) expect(receiver.on(`/e${n}`).length).toBeLessThanOrEqual(8);
    await eventually(() => {
      const { inFlight, buffered } = worker.parts.dispatcher.load;
      expect(inFlight).toBeLessThanOrEqual(30 * 8);
      expect(buffered).toBeLessThanOrEqual(30 * 200);
    });
    worker.kill();
  });

  it('when thirty that kept up hang all at once, the others hardly notice', async () => {
    const worker = await world.worker();
    for (let n = 0; n < 40; n++) await world.register(`whe_${n}`, receiver.url(`/e${n}`), PATIENT);
    await world.pass(worker);
    await world.live(40);
    await world.happen('a', 60);
    await world.pass(worker);
    await eventually(() => {
      for (let n = 0; n < 40; n++) expect(receiver.on(`/e${n}`)).toHaveLength(60);
    });
    for (let n = 0; n < 30; n++) receiver.always(`/e${n}`, 'hang');
    await world.happen('a', 300);
    const messages = await world.fresh();
    for (let at = 0; at < messages.length; at += 50) await worker.handle(messages.slice(at, at + 50));
    await eventually(() => {
      for (let n = 30; n < 40; n++) expect(receiver.on(`/e${n}`)).toHaveLength(360);
    }, BEFORE_TIME_OUT);
    worker.kill();
  });

  it('and one with a rate gets its deliveries evenly, not in bursts', async () => {
    const worker = await world.worker();
    await world.register('whe_paced', receiver.url('/paced'), { eventTypes: ['region.*'], rateLimitPerSecond: 50 });
    await world.register('whe_free', receiver.url('/free'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(2);
    await world.happen('a', 40);
    const began = performance.now();
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/free')).toHaveLength(40));
    await eventually(() => expect(receiver.on('/paced')).toHaveLength(40));
    const arrived = receiver.on('/paced').map(({ at }) => at - began);
    arrived.forEach((at, n) => expect(at).toBeGreaterThanOrEqual(n * 20));
    // Those that were sent evenly may come together where the receiver was busy: how it was sent, the sender says.
    const sent = await eventually(async () => {
      const rows = await world.test.db.query<{ ms: number }>(
        `select extract(epoch from a.at)::float8 * 1000 as ms from delivery.attempt a
         join delivery.delivery d on d.id = a.delivery_id join delivery.endpoint e on e.no = d.endpoint where e.id = 'whe_paced' order by 1`,
      );
      expect(rows).toHaveLength(40);
      return rows.map(({ ms }) => ms);
    });
    for (let n = 10; n < 40; n++) expect(sent[n]! - sent[n - 10]!).toBeGreaterThanOrEqual(10 * 20 * 0.6);
  });

  it('and one that wants another rate has it at once, whatever it was waiting for', async () => {
    const worker = await world.worker();
    await world.register('whe_faster', receiver.url('/faster'), { eventTypes: ['region.*'], rateLimitPerSecond: 0.01 });
    await world.pass(worker);
    await world.live(1);
    await world.happen('a', 60);
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/faster')).toHaveLength(1));
    const changes = { rateLimitPerSecond: 100 };
    await world.endpointCommand('whe_faster', { type: 'UpdateEndpoint', changes, ...world.by() });
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/faster')).toHaveLength(60), { within: 10_000 });
  });

  it('and one with a rate has it from all processes together', async () => {
    const workers = [await world.worker(), await world.worker(), await world.worker()];
    await world.register('whe_shared', receiver.url('/shared'), { eventTypes: ['region.*'], rateLimitPerSecond: 5 });
    await world.pass(workers[0]!);
    await world.live(1);
    for (const worker of workers) {
      for (let n = 0; n < 5; n++) await world.happen(`${workers.indexOf(worker)} ${n}`, 6);
      await world.pass(worker);
    }
    await eventually(() => expect(receiver.on('/shared').length).toBeGreaterThanOrEqual(12), { within: 10_000 });
    const at = receiver.on('/shared').map((request) => request.at);
    expect(at[11]! - at[0]!).toBeGreaterThanOrEqual(11 * 200 * 0.9);
  });

  it('and one that was away gets all of its backlog when it is back, and of a state only the newest where it wants that', async () => {
    const worker = await world.worker();
    receiver.always('/latest', 500);
    receiver.always('/all', 500);
    await world.register('whe_latest', receiver.url('/latest'), { eventTypes: ['region.*'], latestOnly: true });
    await world.register('whe_all', receiver.url('/all'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(2);
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
      within: 60_000,
    });
    await eventually(
      async () => expect(new Set(await statuses('whe_latest'))).toEqual(new Set(['delivered', 'superseded'])),
      { within: 60_000 },
    );
    const delivered = (
      await deliveries.list('ws_1', { endpointId: 'whe_latest', status: 'delivered' }, { limit: 50 })
    ).data.map(({ sequence }) => sequence);
    // The newest of both entities.
    expect(delivered).toEqual(expect.arrayContaining([20, 19]));
    expect((await statuses('whe_latest')).filter((status) => status === 'superseded').length).toBeGreaterThan(0);
  });

  it('nor does a target that nobody could reach hold up the one in its place', async () => {
    const worker = await world.worker();
    receiver.always('/new', 'hang');
    const gone = await Receiver.open();
    await world.register('whe_m', gone.url('/'), { eventTypes: ['region.*'] });
    await gone.close();
    await world.pass(worker);
    await world.happen('a', 60);
    await world.pass(worker);
    await eventually(() => expect(worker.parts.dispatcher.load.circuitsOpen).toBe(1));
    const changes = { targetUrl: receiver.url('/new') };
    await world.endpointCommand('whe_m', { type: 'UpdateEndpoint', changes, ...world.by() });
    await world.pass(worker);
    // As to any that has yet to answer: two at once, where an open circuit has one probe.
    await eventually(() => expect(receiver.on('/new')).toHaveLength(2));
    expect(worker.parts.dispatcher.load.circuitsOpen).toBe(0);
    worker.kill();
  });

  it('nor does one that hangs, or says that it is gone', async () => {
    const worker = await world.worker();
    const held: ServerResponse[] = [];
    receiver.always('/old', (_, response) => void held.push(response));
    await world.register('whe_m', receiver.url('/old'), PATIENT);
    await world.pass(worker);
    await world.live(1);
    await world.happen('a', 60);
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(2));
    const changes = { targetUrl: receiver.url('/new') };
    await world.endpointCommand('whe_m', { type: 'UpdateEndpoint', changes, ...world.by() });
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/new')).toHaveLength(58), BEFORE_TIME_OUT);
    for (const response of held) response.writeHead(410).end();
    await eventually(() => expect(receiver.on('/new')).toHaveLength(60));
    // The receiver has seen the last of them before the worker has its answer.
    await eventually(() => expect(worker.parts.dispatcher.load).toMatchObject({ inFlight: 0, buffered: 0 }));
    expect(held).toHaveLength(2);
    expect(await world.test.db.query('select 1 from delivery.fact')).toEqual([]);
    // What was under way to it has given back what it had.
    expect(worker.parts.dispatcher['slots']).toMatchObject({ inFlight: 0, stuck: 0 });
  });

  it('nor does memory keep one that is deleted, also while it answers', async () => {
    const worker = await world.worker();
    const held: ServerResponse[] = [];
    receiver.always('/slow', (_, response) => void held.push(response));
    for (const path of ['/quick', '/slow'])
      await world.register(`whe_${path.slice(1)}`, receiver.url(path), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(2);
    await world.happen('a', 60);
    await world.pass(worker);
    const { dispatcher } = worker.parts;
    await eventually(() => expect([receiver.on('/quick').length, dispatcher.load.lanes]).toEqual([60, 2]));
    for (const id of ['whe_quick', 'whe_slow'])
      await world.endpointCommand(id, { type: 'DeleteEndpoint', ...world.by() });
    await world.pass(worker);
    await eventually(() => expect(dispatcher.load).toMatchObject({ inFlight: held.length, buffered: 0, lanes: 1 }));
    for (const response of held) response.writeHead(204).end();
    await eventually(() => expect(dispatcher.load).toMatchObject({ inFlight: 0, lanes: 0 }));
  });

  it('nor does a stop wait for one that hangs for longer than it is told to', async () => {
    const worker = await world.worker();
    receiver.always('/hang', 'hang');
    await world.register('whe_hang', receiver.url('/hang'), PATIENT);
    await world.pass(worker);
    await world.live(1);
    await world.happen('a', 10);
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/hang')).toHaveLength(2));
    const { dispatcher } = worker.parts;
    await dispatcher.stop(50);
    expect(dispatcher.load).toMatchObject({ inFlight: 0, buffered: 0 });
    // It was not the endpoint's fault.
    await worker.stop();
    expect(await world.test.db.query('select 1 from delivery.attempt')).toEqual([]);
  });
});
