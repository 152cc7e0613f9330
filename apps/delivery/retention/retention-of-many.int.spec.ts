import { Registry } from 'prom-client';
import { createLogger } from '#platform';
import { testDatabase, type TestDatabase } from '#testing';
import { deliveryMetrics } from '../metrics';
import { Retention } from './retention';

const PARKED = 2_500;
const ENTITIES = 3_500;

describe('retention of much at once', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  it('changes no more than a page of rows in a statement, and all of them in the end', async () => {
    const { db } = test;
    await db.script(`
      insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
        select 'ws_1', 'whe_' || n, json_build_object('contract', case when n < 3 then 'posternity' else 'core' end), true, 'live', 0, 0, '[]', 1 from generate_series(1, 3) n;
      insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state, changed_at)
        select overlay(delivery.id_at(now() - interval '9 days')::text placing lpad(to_hex(10000 * e + n), 12, '0') from 25)::uuid, e, n, n, gen_random_uuid(), gen_random_uuid(),
          gen_random_uuid(), 't', 'k', 'parked', now() - case when n = 1 then interval '1 day' else interval '9 days' end
        from generate_series(1, 3) e cross join generate_series(1, ${PARKED}) n;
      insert into delivery.newest (endpoint, coalesce_key, sequence, at)
        select 1 + n % 2, 'k' || n, 1, now() - case when n % 100 = 0 then interval '1 hour' else interval '2 days' end from generate_series(1, ${ENTITIES}) n`);
    const left = async (): Promise<number[]> => {
      const [row] = await db.query<{ parked: number; newest: number }>(
        "select (select count(*) from delivery.delivery where state = 'parked') as parked, (select count(*) from delivery.newest) as newest",
      );
      return [row!.parked, row!.newest];
    };
    const changed: number[] = [];
    const watched = Object.create(db, {
      query: {
        value: async (text: string, params: readonly unknown[]) => {
          const before = await left();
          const rows = await db.query(text, params);
          const after = await left();
          changed.push(...before.map((count, at) => count - after[at]!));
          return rows;
        },
      },
    }) as typeof db;
    const retention = new Retention({
      db: watched,
      log: createLogger('delivery', 'silent'),
      metrics: deliveryMetrics(new Registry()),
      days: 30,
      hold: () => Promise.resolve(true),
      onFault: (error) => {
        throw error;
      },
    });
    expect(await retention.once()).toMatchObject({ expired: 2 * (PARKED - 1) });
    expect(await left()).toEqual([PARKED + 2, ENTITIES / 100]);
    expect(Math.max(...changed)).toBeLessThanOrEqual(1_000);
    retention.stop();
  });
});
