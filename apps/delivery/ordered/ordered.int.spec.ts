import type { ServerResponse } from 'node:http';
import type { Sql } from '#postgres';
import { eventually, Receiver, type Received } from '#testing';
import { World } from '../testing/world';

const periods = (requests: readonly Received[]): { region: string; period: number }[] =>
  requests
    .map(({ body }) => (JSON.parse(body) as { data: { region: string; period: string } }).data)
    .map(({ region, period }) => ({ region, period: Number(period) }));

/** Per entity, in the order of arrival. */
const perEntity = (requests: readonly Received[]): Record<string, number[]> => {
  const found: Record<string, number[]> = {};
  for (const { region, period } of periods(requests)) (found[region] ??= []).push(period);
  return found;
};

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

describe('an ordered endpoint', () => {
  let world: World;
  let receiver: Receiver;
  beforeEach(async () => {
    // What fails is tried again soon, and for so long (nine minutes in all) that no test outlasts it.
    [world, receiver] = await Promise.all([World.open({ retryScale: 0.002 }), Receiver.open()]);
  });
  const ask = (changes: { ordered: boolean }) =>
    world.endpointCommand('whe_o', { type: 'UpdateEndpoint', changes, ...world.by() });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  it('gets every entity in log order, one at a time, whatever the answers take', async () => {
    const worker = await world.worker();
    const underWay = new Map<string, number>();
    let overlapped = 0;
    receiver.always('/o', (request, response) => {
      const { region } = periods([request])[0]!;
      underWay.set(region, (underWay.get(region) ?? 0) + 1);
      if (underWay.get(region)! > 1) overlapped++;
      setTimeout(() => {
        underWay.set(region, underWay.get(region)! - 1);
        response.writeHead(204).end();
      }, Math.random() * 8);
    });
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    for (let round = 0; round < 4; round++) {
      for (const entity of ['a', 'b', 'c', 'd']) await world.happen(entity, 10);
      await world.pass(worker);
    }
    await eventually(() => expect(receiver.on('/o')).toHaveLength(160));
    expect(perEntity(receiver.on('/o'))).toEqual({ a: upTo(40), b: upTo(40), c: upTo(40), d: upTo(40) });
    expect(overlapped).toBe(0);
    await eventually(async () => expect(await world.test.db.query('select * from delivery.queue')).toEqual([]));
  });

  it('gets what is its own, whatever waits for another endpoint that asks for order', async () => {
    const worker = await world.worker();
    for (const it of ['a', 'b']) {
      receiver.script(`/${it}`, 500);
      await world.register(
        `whe_${it}`,
        receiver.url(`/${it}`),
        { ordered: true, eventTypes: ['region.*'] },
        `ws_${it}`,
      );
    }
    await world.pass(worker);
    await world.live(2);
    for (const it of ['a', 'b']) await world.happen('of both', 20, `ws_${it}`);
    await world.happen('of a', 5, 'ws_a');
    await world.pass(worker);
    await eventually(async () => expect(await world.test.db.query('select * from delivery.queue')).toEqual([]));
    const both = { 'of both': [1, ...upTo(20)] };
    expect(perEntity(receiver.on('/a'))).toEqual({ ...both, 'of a': upTo(5) });
    expect(perEntity(receiver.on('/b'))).toEqual(both);
  });

  it('lets a failing entity wait alone', async () => {
    const worker = await world.worker();
    let heals = false;
    receiver.always('/o', (request, response) => {
      const fails = periods([request])[0]!.region === 'bad' && !heals;
      response.writeHead(fails ? 500 : 204).end();
    });
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('bad', 30);
    await world.happen('good', 30);
    await world.pass(worker);
    await eventually(() => expect(perEntity(receiver.on('/o'))['good']).toEqual(upTo(30)));
    expect(new Set(perEntity(receiver.on('/o'))['bad'])).toEqual(new Set([1]));
    heals = true;
    await eventually(() => expect([...new Set(perEntity(receiver.on('/o'))['bad'])]).toEqual(upTo(30)), {
      within: 90_000,
    });
  });

  it('lets failing entities wait alone, however many there are', async () => {
    await world.close();
    // What fails waits for longer than the test lasts, but for what it is told to wait.
    world = await World.open({ retryScale: 10 });
    const worker = await world.worker();
    let heals = false;
    receiver.always('/o', (request, response) => {
      const isBad = periods([request])[0]!.region.startsWith('bad');
      response.writeHead(isBad && !heals ? 500 : 204).end();
    });
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    const bad = Array.from({ length: 101 }, (_, n) => `bad ${n}`);
    for (const entity of bad) await world.happen(entity, 12);
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/o')).toHaveLength(bad.length));
    await world.happen('good', 5);
    await world.pass(worker);
    await eventually(() => expect(perEntity(receiver.on('/o'))['good']).toEqual(upTo(5)));
    heals = true;
    await world.test.db.query('update delivery.queue set due_at = now() where due_at is not null');
    await worker.parts.orderedLanes.allChanged();
    await eventually(() => {
      for (const entity of bad) expect(perEntity(receiver.on('/o'))[entity]).toEqual([1, ...upTo(12)]);
    });
  });

  it('sends what waited for its time, without a word from anybody', async () => {
    await world.close();
    world = await World.open({ retryScale: 0.2 });
    const worker = await world.worker();
    receiver.script('/o', 500);
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('a', 25);
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/o')).toHaveLength(26));
    expect(perEntity(receiver.on('/o'))['a']).toEqual([1, ...upTo(25)]);
  });

  it('sends what it held back once it no longer asks for order', async () => {
    const worker = await world.worker();
    let heals = false;
    receiver.always('/o', (request, response) => {
      response.writeHead(periods([request])[0]!.period === 1 && !heals ? 500 : 204).end();
    });
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('a', 30);
    await world.pass(worker);
    await eventually(() => expect(perEntity(receiver.on('/o'))['a']?.length).toBeGreaterThan(1));
    await ask({ ordered: false });
    await world.pass(worker);
    await eventually(() => expect(new Set(perEntity(receiver.on('/o'))['a'])).toEqual(new Set(upTo(30))));
    heals = true;
    await eventually(async () => expect(await world.test.db.query('select * from delivery.queue')).toEqual([]), {
      within: 90_000,
    });
    expect(perEntity(receiver.on('/o'))['a']!.filter((period) => period > 1)).toHaveLength(29);
  });

  it('waits for what was to be retried when it began to ask for order', async () => {
    const worker = await world.worker();
    let heals = false;
    receiver.always('/o', (_, response) => response.writeHead(heals ? 204 : 500).end());
    await world.register('whe_o', receiver.url('/o'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('a', 1);
    await world.pass(worker);
    // From the third attempt on it waits for seconds.
    await eventually(() => expect(receiver.on('/o')).toHaveLength(3));
    await eventually(async () => expect(await world.test.db.query('select 1 from delivery.retry')).toHaveLength(1));
    await ask({ ordered: true });
    await world.happen('a', 2);
    await world.pass(worker);
    await eventually(async () => expect(await world.test.db.query('select 1 from delivery.queue')).toHaveLength(3));
    heals = true;
    await eventually(() => expect(new Set(perEntity(receiver.on('/o'))['a'])).toEqual(new Set(upTo(3))), {
      within: 90_000,
    });
    expect(perEntity(receiver.on('/o'))['a']).toEqual([...perEntity(receiver.on('/o'))['a']!].sort());
  });

  it('waits for all that was to be retried, however long that takes to come into the queue', async () => {
    const worker = await world.worker();
    const { db } = world.test;
    receiver.always('/o', { status: 503, headers: { 'retry-after': '3600' } });
    await world.register('whe_o', receiver.url('/o'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(1);
    // More than is moved with the change itself, and all of it older than what is looked at here.
    await db.query(
      `with numbered as (update delivery.sequence set last = last + 1000 returning endpoint), waiting as (
         insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state)
         select uuidv7(), endpoint, n, 1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'region.performance_updated', 'x', 'retrying'
         from numbered, generate_series(1, 1000) n returning id, endpoint, sequence
       ) insert into delivery.retry (delivery_id, endpoint, due_at, sequence) select id, endpoint, now() + interval '1 hour', sequence from waiting`,
    );
    await world.happen('a', 1);
    await world.pass(worker);
    await eventually(async () => expect(await db.query('select 1 from delivery.retry')).toHaveLength(1_001));
    worker.parts.retries.stop();
    await ask({ ordered: true });
    await world.happen('a', 2);
    await world.pass(worker);
    receiver.always('/o', 204);
    await worker.parts.orderedLanes.allChanged();
    expect(await db.query('update delivery.retry set due_at = now() returning 1')).toHaveLength(1);
    const second = await world.worker();
    await eventually(() => expect(receiver.on('/o')).toHaveLength(4));
    expect(perEntity(receiver.on('/o'))['a']).toEqual([1, 1, 2, 3]);
    expect(second.parts.dispatcher.load.buffered).toBe(0);
  });

  it('waits also for what was under way when it began to ask for order, once that has failed', async () => {
    const worker = await world.worker();
    const answers: (() => void)[] = [];
    let heals = false;
    receiver.always('/o', (_, response) => {
      if (answers.length === 0) answers.push(() => response.writeHead(500).end());
      else response.writeHead(heals ? 204 : 500).end();
    });
    await world.register('whe_o', receiver.url('/o'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('a', 1);
    await world.pass(worker);
    await eventually(() => expect(answers).toHaveLength(1));
    await ask({ ordered: true });
    await world.pass(worker);
    answers[0]!();
    await eventually(async () => expect(await world.test.db.query('select 1 from delivery.queue')).toHaveLength(1));
    await world.happen('a', 2);
    await world.pass(worker);
    heals = true;
    await eventually(() => expect(new Set(perEntity(receiver.on('/o'))['a'])).toEqual(new Set(upTo(3))), {
      within: 90_000,
    });
    expect(perEntity(receiver.on('/o'))['a']).toEqual([...perEntity(receiver.on('/o'))['a']!].sort());
  });

  it('sends again what failed under way when it began to ask for order, though later ones of others have gone by then', async () => {
    const worker = await world.worker();
    const held: ServerResponse[] = [];
    receiver.always('/o', (_, response) => {
      if (held.length < 2) held.push(response);
      else response.writeHead(204).end();
    });
    await world.register('whe_o', receiver.url('/o'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('a', 1);
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(1));
    await ask({ ordered: true });
    await world.happen('b', 2);
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(2));
    // The lane has been looked at, and knows how often something had come in behind what it has read.
    await eventually(() => expect([...worker.parts.orderedLanes['lanes'].values()][0]!['requeued']).toBe(0));
    held[1]!.writeHead(204).end();
    await eventually(() => expect(perEntity(receiver.on('/o'))['b']).toEqual(upTo(2)));
    held[0]!.writeHead(500).end();
    await eventually(() => expect(perEntity(receiver.on('/o'))['a']).toEqual([1, 1]));
  });

  it('goes on in order in another process after its holder was killed', async () => {
    const first = await world.worker();
    receiver.always('/o', (_, response) => void setTimeout(() => response.writeHead(204).end(), 20));
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(first);
    await world.happen('a', 40);
    await world.pass(first);
    await eventually(() => expect(receiver.on('/o').length).toBeGreaterThan(5));
    const second = await world.worker();
    await world.happen('a', 10);
    await world.pass(second);
    first.kill();
    await eventually(() => expect([...new Set(perEntity(receiver.on('/o'))['a'])]).toEqual(upTo(50)), {
      within: 60_000,
    });
    const order = perEntity(receiver.on('/o'))['a']!;
    // What was in the dead process's hands may come twice, and then at once: never behind its successor.
    expect(order.filter((period, index) => period < (order[index - 1] ?? 0))).toEqual([]);
  });

  it('sends the next of an entity when the one before is parked', async () => {
    await world.close();
    world = await World.open({ retryScale: 0.0000001 });
    const worker = await world.worker();
    receiver.always(
      '/o',
      (request, response) => void response.writeHead(periods([request])[0]!.period === 1 ? 500 : 204).end(),
    );
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('a', 3);
    await world.pass(worker);
    await eventually(() => expect(perEntity(receiver.on('/o'))['a']).toEqual([...Array<number>(10).fill(1), 2, 3]));
  });

  it('sends a replay in order although nobody told the holder of the lane', async () => {
    const worker = await world.worker();
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('a', 3);
    await world.happen('b', 1);
    await world.pass(worker);
    const { db } = world.test;
    const sent = async (count: number) => {
      await eventually(() => expect(receiver.on('/o')).toHaveLength(count));
      await eventually(async () => expect(await db.query('select * from delivery.queue')).toEqual([]));
    };
    await sent(4);
    for (const round of [1, 2]) {
      await db.query('select delivery.replay(endpoint, array_agg(id), now()) from delivery.delivery group by endpoint');
      await sent(4 + 4 * round);
    }
    expect(perEntity(receiver.on('/o'))).toEqual({ a: [1, 2, 3, 1, 2, 3, 1, 2, 3], b: [1, 1, 1] });
  });

  it.each([204, 500])('sends what is replayed while it is under way after it, answered %i', async (answer) => {
    const worker = await world.worker();
    const held: (() => void)[] = [];
    receiver.always('/o', (_, response) => {
      if (held.length < 2) held.push(() => void response.writeHead(answer).end());
      else response.writeHead(204).end();
    });
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('a', 1);
    await world.pass(worker);
    const { db } = world.test;
    for (const attempt of [1, 2]) {
      await eventually(() => expect(held).toHaveLength(attempt));
      await db.query('select delivery.replay(endpoint, array_agg(id), now()) from delivery.delivery group by endpoint');
      held.at(-1)!();
    }
    const kinds = () =>
      receiver.on('/o').map(({ headers }) => (headers['webhook-replay'] === 'true' ? 'replay' : 'first'));
    await eventually(async () => expect(await db.query('select * from delivery.queue')).toEqual([]));
    expect(kinds()).toEqual(['first', 'replay', 'replay']);
    expect(await db.query('select state, tries from delivery.delivery')).toEqual([{ state: null, tries: 0 }]);
  });

  it('gets the next of an entity after the one that is replayed while it fails', async () => {
    const worker = await world.worker();
    const held: ServerResponse[] = [];
    receiver.script('/o', (_, response) => void held.push(response));
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('a', 2);
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(1));
    const { db } = world.test;
    await db.query(
      'select delivery.replay(endpoint, array_agg(id), now()) from delivery.delivery where sequence = 1 group by endpoint',
    );
    held[0]!.writeHead(500).end();
    await eventually(async () => expect(await db.query('select * from delivery.queue')).toEqual([]));
    expect(perEntity(receiver.on('/o'))).toEqual({ a: [1, 1, 2] });
  });

  it('is told once of what was under way when it was disabled, though it was enabled again before that happened', async () => {
    const worker = await world.worker();
    const held: ServerResponse[] = [];
    receiver.always('/o', (_, response) => void held.push(response));
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(1);
    await world.endpointCommand('whe_o', { type: 'DisableEndpoint', reason: 'manual', ...world.by() });
    const disabling = await world.fresh();
    await world.endpointCommand('whe_o', { type: 'EnableEndpoint', ...world.by() });
    const enabling = await world.fresh();
    await world.happen('a', 1);
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(1));
    await worker.handle(disabling);
    held[0]!.writeHead(204).end();
    const { db } = world.test;
    await eventually(async () => expect(await db.query('select ok from delivery.attempt')).toEqual([{ ok: true }]));
    const states = () => db.query('select state, reason from delivery.delivery');
    expect(await states()).toEqual([{ state: null, reason: null }]);
    await worker.handle(enabling);
    expect(await states()).toEqual([{ state: null, reason: null }]);
    expect(await db.query('select * from delivery.queue')).toEqual([]);
  });

  it('is disabled while outcomes are written without either waiting for the other', async () => {
    const worker = await world.worker();
    const held: ServerResponse[] = [];
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(1);
    // Good answers make room for three at once.
    await world.happen('before', 4);
    await world.pass(worker);
    await eventually(async () => expect(await world.test.db.query('select 1 from delivery.attempt')).toHaveLength(4));
    receiver.always('/o', (_, response) => void held.push(response));
    for (const entity of ['a', 'b', 'c']) await world.happen(entity, 1);
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(3));
    await world.endpointCommand('whe_o', { type: 'DisableEndpoint', reason: 'manual', ...world.by() });
    const disabling = await world.fresh();
    const { db } = world.test;
    const { recorder } = worker.parts;
    const faults = jest.spyOn(worker['engines'].log, 'warn');
    const lock = (sql: Sql, which: number) =>
      sql.query(`select from delivery.delivery where sequence = ${which} for update`);
    const waits = async (what: string) =>
      (
        await db.query(
          "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1",
          [`select delivery.${what}(%`],
        )
      ).length > 0;
    let isOver = false;
    let disabled: Promise<void> | undefined;
    await db.tx(async (last) => {
      await db.tx(async (first) => {
        await lock(first, 5);
        const [one, ...others] = held;
        one!.writeHead(204).end();
        await eventually(() => waits('record'));
        others.forEach((response) => response.writeHead(204).end());
        // What is written next is written together, and its end is held up.
        await eventually(() => expect(recorder['waiting']).toHaveLength(2));
        await lock(last, 7);
      });
      await eventually(async () => expect(await db.query('select 1 from delivery.attempt')).toHaveLength(5));
      await eventually(() => waits('record'));
      disabled = worker.handle(disabling).finally(() => (isOver = true));
      await eventually(async () => isOver || (await waits('purge')));
    });
    await disabled;
    await recorder.flush();
    expect(faults.mock.calls).toEqual([]);
    expect(await db.query('select state, count(*) from delivery.delivery group by 1')).toEqual([
      { state: null, count: 7 },
    ]);
  });

  it('is not told again of what it has taken, though the same was under way twice and failed once', async () => {
    const worker = await world.worker();
    const held: ServerResponse[] = [];
    receiver.always('/o', (_, response) => void held.push(response));
    await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(1);
    await world.happen('a', 1);
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(1));
    // As a worker that finds that it was given up, and begins anew.
    worker.parts.orderedLanes.lost();
    await eventually(() => expect(held).toHaveLength(2));
    const { db } = world.test;
    const attempts = async (count: number) =>
      eventually(async () => expect(await db.query('select 1 from delivery.attempt')).toHaveLength(count));
    held[0]!.writeHead(204).end();
    await attempts(1);
    held[1]!.writeHead(500).end();
    await attempts(2);
    expect(await db.query('select state from delivery.delivery')).toEqual([{ state: null }]);
  });

  describe('what was under way when its worker was given up', () => {
    const held: ServerResponse[] = [];
    const attempts = () => world.test.db.query('select number, ok from delivery.attempt order by at');
    const open = () =>
      world.test.db.query('select state, tries from delivery.delivery where state is not null or tries > 0');
    /** A worker that finds that it was given up, and has begun anew: its delivery is under way for the second time. */
    const begunAnew = async () => {
      held.length = 0;
      receiver.always('/o', (_, response) => void held.push(response));
      const worker = await world.worker();
      await world.register('whe_o', receiver.url('/o'), { ordered: true, eventTypes: ['region.*'] });
      await world.pass(worker);
      await world.live(1);
      await world.happen('a', 1);
      await world.pass(worker);
      await eventually(() => expect(held).toHaveLength(1));
      await world.test.db.query('delete from delivery.worker');
      await eventually(() => expect(held).toHaveLength(2));
      return worker;
    };

    it.each([
      [204, 500],
      [500, 204],
    ])(
      'is delivered when one of the two was taken, though both are written at once: %i, then %i',
      async (...replies) => {
        const { recorder } = (await begunAnew()).parts;
        const start = recorder['start'].bind(recorder);
        recorder['start'] = () => undefined;
        for (const [n, status] of replies.entries()) {
          held[n]!.writeHead(status).end();
          await eventually(() => expect(recorder['waiting']).toHaveLength(n + 1));
        }
        recorder['start'] = start;
        await recorder.flush();
        expect(await open()).toEqual([]);
        expect(await world.test.db.query('select 1 from delivery.queue')).toEqual([]);
      },
    );

    it('is not tried a third time because the first has failed', async () => {
      const { recorder } = (await begunAnew()).parts;
      held[0]!.writeHead(500).end();
      await eventually(async () => expect(await attempts()).toEqual([{ number: 1, ok: false }]));
      await recorder.flush();
      expect(await open()).toEqual([{ state: 'queued', tries: 0 }]);
      held[1]!.writeHead(204).end();
      await eventually(async () => expect(await world.test.db.query('select 1 from delivery.queue')).toEqual([]));
      expect(held).toHaveLength(2);
      expect(await open()).toEqual([]);
    });
  });
});
