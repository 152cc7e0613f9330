import type { Sql } from '#postgres';
import type { Endpoint } from '../endpoints/endpoint';
import { writeFacts, type Fact } from '../facts/facts';
import type { Outcome } from './outcome';

/** What goes with outcomes in their transaction: facts for the log, and what a newer state has made worthless. Returns the facts. */
export async function alongside(
  sql: Sql,
  outcomes: readonly Outcome[],
  endpoint: (no: number) => Endpoint | undefined,
  now: string,
): Promise<number> {
  const facts = outcomes.flatMap((outcome) => factOf(outcome, endpoint));
  await writeFacts(sql, facts, now);
  const newer = outcomes.filter(({ task, decision }) => task.coalesce !== null && decision.state !== 'discarded');
  if (newer.length > 0)
    await sql.query('select delivery.supersede($1, $2, $3, $4)', [
      newer.map(({ task }) => task.endpoint),
      newer.map(({ task }) => task.coalesce),
      newer.map(({ task }) => task.sequence),
      now,
    ]);
  return facts.length;
}

function factOf({ task, exchange, decision }: Outcome, endpoint: (no: number) => Endpoint | undefined): Fact[] {
  const row = endpoint(task.endpoint)?.row;
  if (!row) return [];
  const fact = {
    workspace: row.workspace,
    endpointId: row.id,
    delivery: { id: task.id, type: task.type, attempts: task.number },
  };
  if (decision.state === 'parked') return [{ ...fact, kind: 'parked' }];
  // Only the attempt that was answered 410 says so; the others are given up because of it.
  if (decision.state === 'discarded' && decision.reason === 'gone' && exchange !== null)
    return [{ ...fact, kind: 'gone' }];
  return [];
}
