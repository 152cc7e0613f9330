import type { Sql } from '#postgres';
import type { Endpoint } from '../endpoints/endpoint';
import { writeFacts, type Fact } from '../facts/facts';
import { isFarewell, type Outcome } from './outcome';

/** What goes with outcomes in their transaction: what was not attempted, what a newer state has made worthless, and facts for the log. Returns how many facts. */
export async function alongside(
  sql: Sql,
  outcomes: readonly Outcome[],
  endpoint: (no: number) => Endpoint | undefined,
  now: string,
): Promise<number> {
  await leaveUntried(sql, outcomes);
  const superseded = await supersede(sql, outcomes, now);
  const facts = outcomes.filter(({ task }) => !superseded.has(task.id)).flatMap((outcome) => factOf(outcome, endpoint));
  await writeFacts(sql, facts, now);
  return facts.length;
}

/** What was given back without an attempt waits for its first one, or its next. */
async function leaveUntried(sql: Sql, outcomes: readonly Outcome[]): Promise<void> {
  const untried = outcomes.filter(({ task, decision }) => decision.state === 'waiting' && task.tries === 0);
  if (untried.length > 0)
    await sql.query("update delivery.delivery set state = 'queued' where id = any($1) and state = 'retrying'", [
      untried.map(({ task }) => task.id),
    ]);
}

/** Gives up what is older than the newest of its entity, for endpoints that want only that. Returns which of these outcomes are among it. */
async function supersede(sql: Sql, outcomes: readonly Outcome[], now: string): Promise<ReadonlySet<string>> {
  const stateLike = outcomes.filter(({ task, decision }) => task.coalesce !== null && decision.state !== 'discarded');
  if (stateLike.length === 0) return new Set();
  const [row] = await sql.query<{ ids: string[] }>('select delivery.supersede($1, $2, $3, $4, $5) as ids', [
    stateLike.map(({ task }) => task.id),
    stateLike.map(({ task }) => task.endpoint),
    stateLike.map(({ task }) => task.coalesce),
    stateLike.map(({ task }) => task.sequence),
    now,
  ]);
  return new Set(row!.ids);
}

function factOf(outcome: Outcome, endpoint: (no: number) => Endpoint | undefined): Fact[] {
  const { task, decision, asOf } = outcome;
  const row = endpoint(task.endpoint)?.row;
  if (!row) return [];
  const fact = {
    workspace: row.workspace,
    endpointId: row.id,
    delivery: { id: task.id, type: task.type, attempts: task.number },
  };
  if (decision.state === 'parked') return [{ ...fact, kind: 'parked' }];
  // Only the attempt that was answered 410 says so; the others are given up because of it.
  return isFarewell(outcome) ? [{ ...fact, kind: 'gone', ...(asOf !== undefined && { asOf }) }] : [];
}
