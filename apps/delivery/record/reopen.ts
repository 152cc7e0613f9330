import type { Sql } from '#postgres';
import type { Decision, Outcome } from './outcome';

/**
 * The outcomes as they are to be written: what was given up for an endpoint that was enabled before it happened, which this worker
 * had yet to hear of, waits instead. Call it in the transaction that writes them, and first.
 */
export async function reopen(sql: Sql, outcomes: readonly Outcome[], now: string): Promise<readonly Outcome[]> {
  const given = outcomes.flatMap(({ task, decision }) =>
    decision.state === 'discarded' && decision.asOf !== undefined ? [{ task, asOf: decision.asOf }] : [],
  );
  if (given.length === 0) return outcomes;
  const [row] = await sql.query<{ ids: string[] }>('select delivery.reopened($1, $2, $3) as ids', [
    given.map(({ task }) => task.id),
    given.map(({ task }) => task.endpoint),
    given.map(({ asOf }) => asOf),
  ]);
  const ids = new Set(row!.ids);
  if (ids.size === 0) return outcomes;
  return outcomes.map((outcome) =>
    ids.has(outcome.task.id) ? { ...outcome, decision: again(outcome, now) } : outcome,
  );
}

const again = ({ task, exchange }: Outcome, now: string): Decision =>
  exchange === null
    ? { state: 'waiting', ms: 0 }
    : { state: 'retrying', tries: task.tries + 1, dueMs: Date.parse(now) };
