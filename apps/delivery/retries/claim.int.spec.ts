import { randomUUID } from 'node:crypto';
import { instant, plus, systemClock } from '#kernel';
import { testDatabase, type TestDatabase } from '#testing';
import { ensureDays } from '../retention/partitions';

describe('a claim of what waits', () => {
  const now = systemClock();
  let test: TestDatabase;
  beforeAll(async () => {
    test = await testDatabase();
    await ensureDays(test.db, now, 3);
    await test.db.script(
      `insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
       select 'ws_1', 'whe_' || n, '{}', true, 'live', 0, 0, '[]', 1 from generate_series(1, 3) n`,
    );
  });
  afterAll(() => test.drop());

  /** Deliveries of an endpoint, by when they are due: each has been attempted as often as it has others before it, and its id is before theirs. */
  const wait = (endpoint: number, ...dueInMs: number[]) =>
    test.db.query(
      `with given as (
         select uuidv7() as id, gen_random_uuid() as body_id, due_at, n
         from (select * from unnest($2::timestamptz[]) with ordinality w (due_at, n) order by n desc) w
       ), bodies as (
         insert into delivery.body (id, body) select body_id, '{}' from given
       ), deliveries as (
         insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state)
         select id, $1, n, n, gen_random_uuid(), gen_random_uuid(), body_id, 't', 'k', 'retrying' from given
       ), attempts as (
         insert into delivery.attempt (delivery_id, number, at, duration_ms, ok) select id, m, now(), 1, false from given, generate_series(1, n - 1) m
       ) insert into delivery.retry (delivery_id, endpoint, due_at, sequence) select id, $1, due_at, n from given`,
      [endpoint, dueInMs.map((ms) => instant(plus(now, ms)))],
    );

  it('takes the oldest of each that are due, and no more of them than there is room for', async () => {
    await wait(1, 1, -2, -1, 0, -3);
    await wait(2, 0, 1);
    // Behind many that are due later.
    await wait(3, 1, 1, 1, 1, 1, 0);
    const claimed = await test.db.query('select endpoint, sequence, number from delivery.claim($1, $2, $3, $4, $5)', [
      randomUUID(),
      randomUUID(),
      now,
      [1, 2, 3],
      [3, 5, 1],
    ]);
    expect(claimed).toEqual([
      { endpoint: 2, sequence: 1, number: 1 },
      { endpoint: 1, sequence: 2, number: 2 },
      { endpoint: 1, sequence: 3, number: 3 },
      { endpoint: 1, sequence: 4, number: 4 },
      { endpoint: 3, sequence: 6, number: 6 },
    ]);
  });
});
