import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';

describe('a long backlog', () => {
  let world: World;
  let receiver: Receiver;
  beforeAll(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
  });
  afterAll(async () => {
    await world.close();
    await receiver.close();
  });

  const scans = async (): Promise<number> => {
    const [row] = await world.test.db.query<{ seq_scan: number }>(
      "select seq_scan from pg_stat_user_tables where schemaname = 'delivery' and relname = 'retry'",
    );
    return row!.seq_scan;
  };

  it('is never scanned: neither while what is live goes out, nor when some of it is due', async () => {
    const worker = await world.worker();
    receiver.always('/flaky', 500);
    await world.register('whe_away', receiver.url('/away'), { eventTypes: ['region.*'] });
    await world.register('whe_flaky', receiver.url('/flaky'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(2);
    await world.test.db.query(
      `insert into delivery.retry (delivery_id, endpoint, due_at, sequence)
       select gen_random_uuid(), no, now() + interval '1 hour' + n * interval '1 second', n from delivery.endpoint, generate_series(1, 50000) n where id = 'whe_away'`,
    );
    const before = await scans();
    await world.happen('a', 100);
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/away')).toHaveLength(100));
    await eventually(() => expect(receiver.on('/flaky').length).toBeGreaterThanOrEqual(200));
    receiver.always('/flaky', 204);
    await eventually(
      async () =>
        expect(
          await world.test.db.query(
            "select 1 from delivery.delivery where delivery.status_of(id, state) <> 'delivered'",
          ),
        ).toEqual([]),
      { within: 60_000 },
    );
    worker.parts.retries.wake();
    // Statistics arrive a second after their statements.
    await world.test.db.query('select pg_stat_force_next_flush()');
    expect(await scans()).toBe(before);
    expect(await world.test.db.query('select count(*) from delivery.retry')).toEqual([{ count: 50_000 }]);
  });
});
