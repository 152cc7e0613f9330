import { systemClock } from '#kernel';
import type { Database, Sql } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { ensureDays } from '../retention/partitions';
import { Jobs, type JobsNeeds } from './jobs';

const MANY = 7_000;

describe('bulk replays', () => {
  let test: TestDatabase;
  let jobs: Jobs | undefined;
  beforeAll(async () => {
    test = await testDatabase({ max: 2 });
    await ensureDays(test.db, systemClock(), 3);
    await test.db.script(`
      insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
        select 'ws_1', 'whe_' || n, '{"ordered":false}', true, 'live', 0, 0, '[]', 1 from generate_series(1, 3) n`);
  });
  afterEach(async () => {
    await jobs?.stop();
    await test.db.script(
      'delete from delivery.job; delete from delivery.lease; delete from delivery.attempt; delete from delivery.retry; delete from delivery.delivery',
    );
  });
  afterAll(() => test.drop());

  /** Parked deliveries of an endpoint, one of `every` of them; the others were discarded. */
  const park = (endpoint: number, count: number, every = 1) =>
    test.db.script(
      `insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state)
        select overlay(delivery.id_at(now())::text placing lpad(to_hex(${endpoint} * 1000000 + n), 12, '0') from 25)::uuid, ${endpoint}, n, n, gen_random_uuid(),
          gen_random_uuid(), gen_random_uuid(), 't', 'k', case when n % ${every} = 0 then 'parked' else 'discarded' end
        from generate_series(1, ${count}) n;
      analyze delivery.delivery`,
    );
  const ask = (id: string, endpoint: number, status: string | null = 'parked') =>
    test.db.query(
      `insert into delivery.job (id, workspace, endpoint, since, until, status_filter, created_at) values ($1, 'ws_1', $2, '2025-01-01', '2999-01-01', $3, clock_timestamp())`,
      [id, endpoint, status],
    );
  /** A delivery in the hands of a worker. */
  const underWay = (endpoint: number) =>
    test.db.script(`
      with d as (
        insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
          values (delivery.id_at(now()), ${endpoint}, 1, 1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 't', 'k') returning id
      )
      insert into delivery.lease (batch, worker, deliveries) select gen_random_uuid(), gen_random_uuid(), array[id] from d`);
  const jobOf = async (id: string) => (await test.db.query('select * from delivery.job where id = $1', [id]))[0];

  function run(over: Partial<JobsNeeds> = {}): number[] {
    const replayed: number[] = [];
    jobs = new Jobs({
      db: test.db,
      clock: systemClock,
      hold: () => Promise.resolve(true),
      letGo: () => Promise.resolve(),
      onReplayed: (endpoint) => replayed.push(endpoint),
      onFault: (error) => {
        throw error;
      },
      ...over,
    });
    jobs.start();
    return replayed;
  }

  const lookedAt = async (sql: Sql): Promise<number> => {
    const [row] = await sql.query<{ looked: number }>(
      "select sum(seq_tup_read + idx_tup_fetch)::float8 as looked from pg_stat_xact_user_tables where schemaname = 'delivery' and relname like 'delivery%'",
    );
    return row!.looked;
  };

  /** The database, which notes how many deliveries each transaction looked at, as it is planned for any. */
  const watched = (looked: number[]): Database =>
    Object.create(test.db, {
      tx: {
        value: <T>(work: (sql: Sql) => Promise<T>) =>
          test.db.tx(async (sql) => {
            await sql.script('set local plan_cache_mode = force_generic_plan');
            const before = await lookedAt(sql);
            const result = await work(sql);
            looked.push((await lookedAt(sql)) - before);
            return result;
          }),
      },
    }) as Database;

  it('look at no more for a page than a stretch, however long they are', async () => {
    await park(1, MANY);
    await ask('job_long', 1);
    const looked: number[] = [];
    run({ db: watched(looked) });
    await eventually(async () =>
      expect(await jobOf('job_long')).toMatchObject({ status: 'done', total: MANY, done: MANY }),
    );
    // The first page counts them.
    expect(Math.max(...looked.slice(1))).toBeLessThan(3_000);
  });

  it('find the few among many that are asked for, and say how many they were', async () => {
    await park(1, MANY, 3_000);
    await ask('job_few', 1);
    const looked: number[] = [];
    run({ db: watched(looked) });
    await eventually(async () => expect(await jobOf('job_few')).toMatchObject({ status: 'done', total: 2, done: 2 }));
    expect(await test.db.query("select sequence from delivery.delivery where state = 'queued' order by 1")).toEqual([
      { sequence: 3_000 },
      { sequence: 6_000 },
    ]);
    expect(Math.max(...looked.slice(1))).toBeLessThan(3_000);
  });

  it('take turns, so that a short one does not wait for the end of a long one, and one that fails for nobody', async () => {
    await park(1, 2_000);
    await park(2, 300);
    await park(3, 300);
    await ask('job_long', 1);
    // More than have turns at once.
    for (let nth = 1; nth <= 25; nth++) await ask(`job_broken_${nth}`, 2);
    await ask('job_short', 3);
    const faults: string[] = [];
    const db = Object.create(test.db, {
      tx: {
        value: <T>(work: (sql: Sql) => Promise<T>) =>
          test.db.tx((sql) =>
            work({
              script: (text) => sql.script(text),
              query: (text, params = []) =>
                text.includes('delivery.replay') && params[0] === 2
                  ? Promise.reject(new Error('broken'))
                  : sql.query(text, params),
            }),
          ),
      },
    }) as Database;
    const replayed = run({ db, onFault: ({ message }) => faults.push(message) });
    await eventually(async () => expect(await jobOf('job_long')).toMatchObject({ status: 'done' }));
    expect(await jobOf('job_short')).toMatchObject({ status: 'done', total: 300, done: 300 });
    expect(replayed.slice(0, 5)).toEqual([1, 1, 3, 1, 3]);
    expect(await jobOf('job_broken_1')).toMatchObject({ status: 'running', done: 0 });
    expect(faults).toContain('broken');
  });

  it('leave out nothing that has arrived a moment ago and is not written down yet', async () => {
    await underWay(1);
    await ask('job_at_once', 1, null);
    const looked: number[] = [];
    const replayed = run({ db: watched(looked), momentMs: 60_000 });
    await eventually(() => expect(looked.length).toBeGreaterThan(1));
    expect(await jobOf('job_at_once')).toMatchObject({ status: 'running' });
    await test.db.script(`
      insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code) select id, 1, now(), 1, true, 200 from delivery.delivery;
      delete from delivery.lease`);
    await eventually(async () =>
      expect(await jobOf('job_at_once')).toMatchObject({ status: 'done', total: 1, done: 1 }),
    );
    expect(replayed).toEqual([1]);
  });

  it('do not wait for the end of what hangs: that is on its way', async () => {
    await underWay(1);
    await ask('job_hanging', 1, null);
    const replayed = run({ momentMs: 50 });
    await eventually(async () => expect(await jobOf('job_hanging')).toMatchObject({ status: 'done', total: 0 }));
    expect(replayed).toEqual([]);
  });
});
