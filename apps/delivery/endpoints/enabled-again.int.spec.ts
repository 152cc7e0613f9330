import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';

/** The advisory lock that every intake holds shared. */
const INTAKES = 7305050;
const WAITING = `select 1 from pg_locks where locktype = 'advisory' and objid = $1 and not granted
  and database = (select oid from pg_database where datname = current_database())`;

describe('an endpoint that is enabled again', () => {
  let world: World;
  let receiver: Receiver;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  it('has all of its backlog given up before the others wait, and none of it comes back', async () => {
    const { db } = world.test;
    const worker = await world.worker();
    // Nobody gives up the rest by the way.
    worker.parts.retries.stop();
    await world.register('whe_e', receiver.url('/e'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(1);
    const wait = (from: number, to: number) =>
      db.query(
        `with waiting as (
           insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state)
           select uuidv7(), no, n, 1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'region.performance_updated', 'a', 'retrying'
           from delivery.endpoint, generate_series($1::int, $2::int) n returning id, endpoint, sequence
         ) insert into delivery.retry (delivery_id, endpoint, due_at, sequence) select id, endpoint, now() + interval '1 hour', sequence from waiting`,
        [from, to],
      );
    await wait(1, 2_500);
    await world.endpointCommand('whe_e', { type: 'DisableEndpoint', reason: 'manual', ...world.by() });
    await world.pass(worker);
    expect(await db.query('select 1 from delivery.retry')).toHaveLength(1_500);
    await world.endpointCommand('whe_e', { type: 'EnableEndpoint', ...world.by() });
    let enabling: Promise<void> | undefined;
    // As long as an intake is under way, the change cannot be made.
    await db.tx(async (sql) => {
      await sql.query(`select pg_advisory_xact_lock_shared(${INTAKES})`);
      enabling = world.pass(worker);
      await eventually(async () => expect(await db.query('select 1 from delivery.retry')).toEqual([]));
      expect(await db.query('select enabled from delivery.endpoint')).toEqual([{ enabled: false }]);
      await eventually(async () => expect(await db.query(WAITING, [INTAKES])).toHaveLength(1));
      // Given back meanwhile, as by a worker that has died.
      await wait(2_501, 2_502);
    });
    await enabling;
    expect(await db.query('select enabled from delivery.endpoint')).toEqual([{ enabled: true }]);
    expect(await db.query('select state, reason, count(*) from delivery.delivery group by 1, 2')).toEqual([
      { state: 'discarded', reason: 'disabled', count: 2_502 },
    ]);
  });

  it('gets what it missed since, and brings nothing back of another', async () => {
    const worker = await world.worker();
    const own = ['a', 'b'];
    for (const it of own) await world.register(`whe_${it}`, receiver.url(`/${it}`), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(2);
    for (const it of own)
      await world.endpointCommand(`whe_${it}`, { type: 'DisableEndpoint', reason: 'manual', ...world.by() });
    await world.pass(worker);
    const enable = (it: string) => world.endpointCommand(`whe_${it}`, { type: 'EnableEndpoint', ...world.by() });
    await enable('a');
    const missed = await world.happen('x');
    await enable('b');
    // Each has a key of its own on the bus: one may be heard of long after the other.
    const [first, ...later] = await world.fresh();
    await worker.handle(later);
    await worker.handle([first!]);
    const next = await world.happen('x');
    await world.pass(worker);
    const sent = (it: string) => receiver.on(`/${it}`).map(({ headers }) => headers['webhook-id']);
    await eventually(async () => {
      expect([sent('a'), sent('b')]).toEqual([
        expect.arrayContaining([...missed, ...next]),
        expect.arrayContaining(next),
      ]);
      expect(await world.test.db.query('select 1 from delivery.retry')).toEqual([]);
    });
    expect([sent('a').length, sent('b').length]).toEqual([2, 1]);
  });
});
