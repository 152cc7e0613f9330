import { systemClock } from '#kernel';
import { testDatabase, type TestDatabase } from '#testing';
import { ensureDays } from '../retention/partitions';
import type { Decision, Outcome } from './outcome';
import { reopen } from './reopen';

const NOW = '2026-05-01T10:00:00.000Z';
const [OPEN, CLOSED_AGAIN, DELETED] = [1, 2, 3];
const ENABLED_AFTER = 10;

describe('what a worker gave up that took its endpoint for closed', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await testDatabase();
    await ensureDays(test.db, systemClock(), 3);
    await test.db.script(
      `insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version, enabled_after)
       select 'ws_1', 'whe_' || n, '{}', n <> ${CLOSED_AGAIN}, case n when ${DELETED} then 'deleted' else 'live' end, 0, 0, '[]', 1, ${ENABLED_AFTER}
       from generate_series(1, 3) n`,
    );
  });
  afterAll(() => test.drop());

  /** What is to be written of a delivery for which that was decided, of which the worker knew what had become of its endpoint up to `asOf`. */
  const decided = async ({ endpoint = OPEN, position = 11, asOf = 9, isAttempted = false }) => {
    const [row] = await test.db.query<{ id: string }>(
      `insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
       values (uuidv7(), $1, 1, $2, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 't', 'k') returning id`,
      [endpoint, position],
    );
    const decision: Decision = { state: 'discarded', reason: 'disabled', asOf };
    const task = { id: row!.id, endpoint, tries: 3 };
    const outcome = { task, exchange: isAttempted ? {} : null, decision } as Outcome;
    const [written] = await reopen(test.db, [outcome], NOW);
    return written!.decision;
  };

  it('waits instead where it happened after an enabling that the worker had yet to hear of', async () => {
    expect(await decided({})).toEqual({ state: 'waiting', ms: 0 });
    expect(await decided({ isAttempted: true })).toEqual({ state: 'retrying', tries: 4, dueMs: Date.parse(NOW) });
  });

  it.each([
    ['it happened before the enabling', { position: 9 }],
    ['the worker had heard of the enabling', { asOf: ENABLED_AFTER }],
    ['the endpoint is closed again', { endpoint: CLOSED_AGAIN }],
    ['the endpoint is deleted', { endpoint: DELETED }],
  ])('stays given up where %s', async (_, given) => {
    expect(await decided(given)).toMatchObject({ state: 'discarded', reason: 'disabled' });
  });
});
