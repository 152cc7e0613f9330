import type { ServerResponse } from 'node:http';
import { plus, systemClock, type Instant } from '#kernel';
import type { Sql } from '#postgres';
import { eventually, Receiver, type Received } from '#testing';
import { World } from '../testing/world';
import type { DeliveryWorker } from '../worker/delivery-worker';

const TYPES = ['region.*'];

/** The region's period in a body: the test's events of one entity count it up. */
const period = ({ body }: Received): number => Number((JSON.parse(body) as { data: { period: string } }).data.period);

describe('an endpoint that wants the latest only', () => {
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  /** Requests that wait for the test's answer, by period. */
  let held: Map<number, ServerResponse>;
  /** How much later it is than it was. */
  let behind: number;
  const clock = (): Instant => plus(systemClock(), behind);
  beforeEach(async () => {
    behind = 0;
    // What fails waits for most of a minute: as long as it may take until a newer one is recorded.
    [world, receiver] = await Promise.all([World.open({ retryScale: 10, clock }), Receiver.open()]);
    worker = await world.worker();
    held = new Map();
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  /** What fails waits as long as that makes of the ladder. */
  const withLadder = async (retryScale: number): Promise<void> => {
    await world.close();
    world = await World.open({ retryScale, clock });
    worker = await world.worker();
  };
  const register = async (contract = 'core', latestOnly = true, ordered = false): Promise<void> => {
    await world.register('whe_l', receiver.url('/l'), { eventTypes: TYPES, latestOnly, contract, ordered });
    await world.pass(worker);
    await world.live(1);
  };
  const hold = () => receiver.always('/l', (request, response) => void held.set(period(request), response));
  const answer = (which: number, status: number) => held.get(which)!.writeHead(status).end();
  /** What the API shows of each, by sequence. */
  const outcomes = async (): Promise<string[]> => {
    const rows = await world.test.db.query<{ it: string }>(
      'select coalesce(reason, delivery.status_of(id, state)) as it from delivery.delivery order by sequence',
    );
    return rows.map(({ it }) => it);
  };
  const become = (...expected: string[]) => eventually(async () => expect(await outcomes()).toEqual(expected));
  /** Two states of one entity, for which the receiver waits with its answer. */
  const twoInHand = async (latestOnly = true): Promise<void> => {
    hold();
    await register('core', latestOnly);
    await world.happen('a', 2);
    await world.pass(worker);
    await eventually(() => expect(held.size).toBe(2));
  };
  const replayFirst = (sql: Sql = world.test.db) =>
    sql.query('select delivery.replay(endpoint, array[id], now()) from delivery.delivery where sequence = 1');
  const bothOf = (sql: Sql) =>
    sql.query<{ id: string; endpoint: number; sequence: number; key: string }>(
      'select id, endpoint, sequence, key || chr(10) || type as key from delivery.delivery order by sequence',
    );
  const supersede = (sql: Sql, { id, endpoint, key, sequence }: Awaited<ReturnType<typeof bothOf>>[number]) =>
    sql.query('select delivery.supersede($1, $2, $3, $4, now())', [[id], [endpoint], [key], [sequence]]);
  const nothingWaits = async () => expect(await world.test.db.query('select 1 from delivery.retry')).toEqual([]);

  it('is not sent an older state again that failed after a newer one went through', async () => {
    await twoInHand();
    answer(2, 204);
    await become('pending', 'delivered');
    answer(1, 500);
    await become('superseded', 'delivered');
    await nothingWaits();
    expect(receiver.on('/l')).toHaveLength(2);
  });

  it('nor one that failed before it did and waits for its time', async () => {
    await twoInHand();
    held.get(1)!.writeHead(503, { 'retry-after': '3600' }).end();
    await become('retrying', 'pending');
    answer(2, 204);
    await become('superseded', 'delivered');
    await nothingWaits();
  });

  it('says nothing of one that would have been parked, when a newer one has gone through', async () => {
    await withLadder(0.0000001);
    receiver.script('/l', ...Array<number>(9).fill(500));
    hold();
    await register();
    await world.happen('a');
    await world.pass(worker);
    await eventually(() => expect(held.size).toBe(1));
    expect(receiver.on('/l')).toHaveLength(10);
    await world.happen('a');
    await world.pass(worker);
    await eventually(() => expect(held.size).toBe(2));
    answer(2, 204);
    await become('retrying', 'delivered');
    answer(1, 500);
    await become('superseded', 'delivered');
    expect(await world.test.db.query('select kind from delivery.fact')).toEqual([]);
    expect((await world.fresh()).map(({ type }) => type)).not.toContain('webhook.delivery_parked');
  });

  it('is told apart by two workers that record at the same moment, whichever is first', async () => {
    hold();
    await register();
    const second = await world.worker();
    for (const round of [0, 1, 2, 3, 4, 5]) {
      const [older, newer] = [round * 2 + 1, round * 2 + 2];
      await world.happen('a');
      await world.pass(worker);
      await world.happen('a');
      await world.pass(second);
      await eventually(() => expect([held.has(older), held.has(newer)]).toEqual([true, true]));
      if (round % 2 === 0) {
        answer(newer, 204);
        answer(older, 500);
      } else {
        answer(older, 500);
        answer(newer, 204);
      }
      await eventually(async () => expect((await outcomes()).slice(-2)).toEqual(['superseded', 'delivered']));
      await nothingWaits();
    }
    expect(receiver.on('/l')).toHaveLength(12);
  });

  it('makes a recorder wait for another of the same entity, so that neither misses what the other writes', async () => {
    await twoInHand();
    const { db } = world.test;
    const [older, newer] = await bothOf(db);
    let newerIsIn = false;
    let other: Promise<unknown> | undefined;
    await db.tx(async (sql) => {
      await sql.query(
        'insert into delivery.retry (delivery_id, endpoint, due_at, coalesce_key, sequence) values ($1, $2, $3, $4, $5)',
        [older!.id, older!.endpoint, '2031-01-01', older!.key, older!.sequence],
      );
      await supersede(sql, older!);
      other = db.tx((elsewhere) => supersede(elsewhere, newer!)).then(() => (newerIsIn = true));
      await eventually(async () =>
        expect(await db.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'")).not.toEqual([]),
      );
      expect(newerIsIn).toBe(false);
    });
    await other;
    await nothingWaits();
    expect(await db.query('select state, reason from delivery.delivery where id = $1', [older!.id])).toEqual([
      { state: 'discarded', reason: 'superseded' },
    ]);
    answer(1, 500);
    answer(2, 204);
    await become('superseded', 'delivered');
  });

  it('is sent what was asked for again while it waited for its time, though a newer one goes through', async () => {
    await twoInHand();
    held.get(1)!.writeHead(503, { 'retry-after': '3600' }).end();
    await become('retrying', 'pending');
    await world.test.db.tx(async (sql) => {
      await replayFirst(sql);
      await supersede(sql, (await bothOf(sql))[1]!);
      expect(await sql.query('select 1 from delivery.retry')).toHaveLength(1);
    });
    held.delete(1);
    await eventually(() => expect(held.has(1)).toBe(true));
    answer(1, 204);
    answer(2, 204);
    await become('delivered', 'delivered');
  });

  const ask = async (latestOnly: boolean): Promise<void> => {
    await world.endpointCommand('whe_l', { type: 'UpdateEndpoint', changes: { latestOnly }, ...world.by() });
    await world.pass(worker);
  };

  it('is not sent the older states that had failed before it asked for the latest only', async () => {
    await twoInHand(false);
    answer(1, 500);
    answer(2, 500);
    await become('retrying', 'retrying');
    await ask(true);
    await world.happen('a', 1);
    await world.pass(worker);
    await eventually(() => expect(held.size).toBe(3));
    answer(3, 204);
    await become('superseded', 'superseded', 'delivered');
    await nothingWaits();
  });

  it('is sent the older states that wait, once it wants all of them', async () => {
    await twoInHand();
    answer(1, 500);
    await become('retrying', 'pending');
    await ask(false);
    answer(2, 204);
    await become('retrying', 'delivered');
  });

  it('gets of a long outage the newest of every entity, and the rest is listed as superseded', async () => {
    await withLadder(0.002);
    let isAway = true;
    receiver.always('/l', (_, response) => {
      if (isAway) response.destroy();
      else response.writeHead(204).end();
    });
    await register();
    for (let n = 0; n < 6; n++) {
      for (const entity of ['a', 'b', 'c']) await world.happen(entity, 50);
      await world.pass(worker);
    }
    await eventually(() => expect(worker.parts.dispatcher.load.circuitsOpen).toBe(1));
    const before = receiver.on('/l').length;
    isAway = false;
    await eventually(
      async () => {
        expect(
          await world.test.db.query("select 1 from delivery.delivery where state in ('queued', 'retrying')"),
        ).toEqual([]);
      },
      { within: 60_000, every: 50 },
    );
    const tally = new Map<string, number>();
    for (const it of await outcomes()) tally.set(it, (tally.get(it) ?? 0) + 1);
    expect([...tally.keys()].sort()).toEqual(['delivered', 'superseded']);
    const sent = receiver.on('/l').slice(before);
    // The newest of each, and what had been in hand when it came back.
    expect(sent.length).toBeLessThan(20);
    for (const region of ['a', 'b', 'c']) {
      const periods = sent
        .filter(({ body }) => (JSON.parse(body) as { data: { region: string } }).data.region === region)
        .map(period);
      expect(periods).toContain(300);
    }
  });

  it.each([
    ['answered', (response: ServerResponse) => void response.writeHead(500).end()],
    ['was not there', (response: ServerResponse) => void response.destroy()],
  ])('gets of an outage in which it %s the newest of every entity in order, too', async (_, fail) => {
    await withLadder(0.02);
    let isAway = true;
    receiver.always('/l', (__, response) => (isAway ? fail(response) : void response.writeHead(204).end()));
    await register('core', true, true);
    const entities = Array.from({ length: 40 }, (__, n) => `e${n}`);
    for (const entity of entities) await world.happen(entity, 25);
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/l').length).toBeGreaterThan(30));
    behind = 60_000;
    const before = receiver.on('/l').length;
    isAway = false;
    await eventually(async () => expect(await world.test.db.query('select 1 from delivery.queue')).toEqual([]), {
      within: 60_000,
      every: 50,
    });
    const sent = receiver.on('/l').slice(before);
    const newest = new Set(sent.filter((it) => period(it) === 25).map(({ body }) => body));
    expect(newest.size).toBe(entities.length);
    // And what had been in hand when it came back.
    expect(sent.length).toBeLessThan(2 * entities.length + 30);
    const tally = new Set(await outcomes());
    expect(tally).toEqual(new Set(['delivered', 'superseded']));
  });

  it('is sent all of them in order while nothing holds them up', async () => {
    await register('core', true, true);
    await world.happen('a', 30);
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/l')).toHaveLength(30));
    await become(...Array<string>(30).fill('delivered'));
  });

  it('keeps an older state that waits when the newer one was refused for good', async () => {
    await twoInHand();
    answer(1, 500);
    await become('retrying', 'pending');
    answer(2, 410);
    await become('retrying', 'gone');
  });

  it('is sent in order, too, what waits after it was replayed by hand', async () => {
    await register('core', true, true);
    await world.happen('a', 2);
    await world.pass(worker);
    await become('delivered', 'delivered');
    receiver.script('/l', 500);
    await replayFirst();
    await worker.parts.orderedLanes.allChanged();
    await become('retrying', 'delivered');
    await world.happen('a', 1);
    await world.pass(worker);
    // It has been read, and waits for its time with what has come behind it.
    await eventually(() => expect([...worker.parts.orderedLanes['lanes'].values()][0]!['requeued']).toBe(1));
    behind = 120_000;
    await become('delivered', 'delivered', 'delivered');
  });

  it('is sent what waits after it was replayed by hand, also when it asks for the latest only meanwhile', async () => {
    await register('core', false);
    await world.happen('a', 2);
    await world.pass(worker);
    await become('delivered', 'delivered');
    receiver.script('/l', 500);
    await replayFirst();
    worker.parts.retries.wake();
    await become('retrying', 'delivered');
    await ask(true);
    await world.happen('a', 1);
    await world.pass(worker);
    await become('retrying', 'delivered', 'delivered');
  });

  it('is sent what somebody replays by hand, whatever newer there is', async () => {
    await withLadder(0.02);
    await register();
    await world.happen('a', 3);
    await world.pass(worker);
    await become('delivered', 'delivered', 'delivered');
    receiver.script('/l', 500);
    await replayFirst();
    worker.parts.retries.wake();
    await eventually(() => expect(receiver.on('/l').filter((it) => period(it) === 1)).toHaveLength(3));
    await become('delivered', 'delivered', 'delivered');
  });
});
