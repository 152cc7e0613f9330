import type { Instant } from '#kernel';
import { arrayOrNull, plainArray, type Sql, type Write } from '#postgres';

/** A timer as it is stored: a command owed at a time, and the event that led to it. */
export interface StoredTimer {
  readonly key: string;
  readonly kind: string;
  readonly workspace: string;
  readonly target: string;
  readonly dueAt: Instant;
  readonly payload: object;
  /** Id of the event that set it. */
  readonly cause: string;
  readonly position: number;
  readonly correlationId: string;
  readonly traceparent: string | null;
}

export interface DueTimer extends StoredTimer {
  readonly failures: number;
}

/** Set, or cleared when null. */
export interface TimerChange {
  readonly key: string;
  readonly timer: StoredTimer | null;
}

/** The key of a timer: one of a kind for each name in a workspace, so that setting it again replaces it. */
export const timerKey = (kind: string, workspace: string, name: string): string => `${kind}:${workspace}:${name}`;

const SET = `insert into projector.timer (key, target, kind, workspace, due_at, payload, cause, position, correlation_id, traceparent)
  select timer.* from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], string_to_array($6::text, E'\\n'), $7::uuid[], $8::bigint[], $9::text[], $10::text[]) timer, fence
  on conflict (key) do update set due_at = excluded.due_at, payload = excluded.payload, cause = excluded.cause, position = excluded.position,
    correlation_id = excluded.correlation_id, traceparent = excluded.traceparent, failures = 0, failure = null, holds = false`;

const CLEAR = 'delete from projector.timer using fence where key = any($1)';

/** Changes in order: of several to one key the last counts. */
export function timerWrites(changes: readonly TimerChange[]): Write[] {
  const last = new Map(changes.map((change) => [change.key, change.timer]));
  const set = [...last.values()].filter((timer) => timer !== null);
  const cleared = [...last].filter(([, timer]) => timer === null).map(([key]) => key);
  const writes: Write[] = cleared.length > 0 ? [{ text: CLEAR, params: [cleared] }] : [];
  if (set.length === 0) return writes;
  const params = [
    set.map(({ key }) => key),
    set.map(({ target }) => target),
    set.map(({ kind }) => kind),
    set.map(({ workspace }) => workspace),
    plainArray(set.map(({ dueAt }) => dueAt)),
    // As lines, for an array of JSON would be full of escapes; JSON text has no line breaks of its own.
    set.map(({ payload }) => JSON.stringify(payload)).join('\n'),
    plainArray(set.map(({ cause }) => cause)),
    plainArray(set.map(({ position }) => position)),
    set.map(({ correlationId }) => correlationId),
    arrayOrNull(set.map(({ traceparent }) => traceparent)),
  ];
  return [...writes, { text: SET, params }];
}

interface TimerRow {
  key: string;
  kind: string;
  workspace: string;
  target: string;
  due_at: Instant;
  payload: string;
  cause: string;
  position: number;
  correlation_id: string;
  traceparent: string | null;
  failures: number;
}

/**
 * Timers with nothing before them that holds their thing up: a look for each into an index of only what holds. Of those that one event led to, what
 * was tried comes before what was not. `offset 0` keeps it a look: joined by estimates from before an outage, each would be compared with all that hold.
 */
const IN_TURN = `not exists (select from projector.timer f
  where f.holds and f.workspace = t.workspace and f.target = t.target and f.position <= t.position
    and (f.position < t.position or f.key <> t.key and not t.holds) offset 0)`;

const COLUMNS = 'key, kind, workspace, target, due_at, payload, cause, position, correlation_id, traceparent, failures';

const dueTimer = ({ due_at: dueAt, correlation_id: correlationId, payload, ...row }: TimerRow): DueTimer => ({
  ...row,
  dueAt,
  correlationId,
  payload: JSON.parse(payload) as object,
});

/** What is due at `now` and in its turn, oldest first. */
export async function dueTimers(sql: Sql, now: Instant, limit: number): Promise<DueTimer[]> {
  const rows = await sql.query<TimerRow>(
    `select ${COLUMNS} from projector.timer t where due_at <= $1 and ${IN_TURN} order by due_at, position limit $2`,
    [now, limit],
  );
  return rows.map(dueTimer);
}

/** A workspace that has timers which are due within a minute. */
export interface DueTurn {
  readonly minute: Instant;
  readonly workspace: string;
}

/** As in the index. */
const minuteOf = (time: string): string => `date_bin('1 minute', ${time}, timestamptz '2000-01-01T00:00:00Z')`;
const DUE_MINUTE = minuteOf('due_at');
const turnAfter = (minute: string, workspace: string): string =>
  `select ${DUE_MINUTE} as minute, workspace from projector.timer
    where due_at <= $1 and ${DUE_MINUTE} <= ${minuteOf('$1')} and (${DUE_MINUTE}, workspace) > (${minute}, ${workspace})
    order by ${DUE_MINUTE}, workspace limit 1`;

/** The next minutes and workspaces with timers that are due at `now`, oldest first: a look for each into an index. */
export async function dueTurns(
  sql: Sql,
  now: Instant,
  { after, limit }: { readonly after: DueTurn | undefined; readonly limit: number },
): Promise<DueTurn[]> {
  return sql.query<DueTurn>(
    `with recursive turn as (
      (${turnAfter('$2::timestamptz', '$3::text')})
      union all
      select next.* from turn cross join lateral (${turnAfter('turn.minute', 'turn.workspace')}) next
    ) select minute, workspace from turn limit $4`,
    [now, after?.minute ?? '-infinity', after?.workspace ?? '', limit],
  );
}

/** What is due at `now` and in its turn, of each workspace the oldest, and of none more than `share`. */
export async function dueTimersOf(
  sql: Sql,
  now: Instant,
  { workspaces, share }: { readonly workspaces: readonly string[]; readonly share: number },
): Promise<DueTimer[]> {
  // Ordered and bounded by the workspace, so that only the index that begins with it serves, however many timers of others are due.
  const rows = await sql.query<TimerRow>(
    `select of_one.* from unnest($2::text[]) one (workspace) cross join lateral (
      select ${COLUMNS} from projector.timer t
      where (t.workspace, t.due_at) >= (one.workspace, '-infinity') and (t.workspace, t.due_at) <= (one.workspace, $1) and ${IN_TURN}
      order by t.workspace, t.due_at, t.position limit $3) of_one`,
    [now, workspaces, share],
  );
  return rows.map(dueTimer);
}

/** When the next timer that is in its turn is due; null when there is none. */
export async function nextDue(sql: Sql): Promise<Instant | null> {
  const [row] = await sql.query<{ due_at: Instant }>(
    `select due_at from projector.timer t where ${IN_TURN} order by due_at limit 1`,
  );
  return row?.due_at ?? null;
}

/** Removes timers that were done, unless they have been set anew meanwhile. */
export async function endTimers(sql: Sql, timers: readonly StoredTimer[]): Promise<void> {
  await sql.query(
    `with lazy as (select set_config('synchronous_commit', 'off', true))
      delete from projector.timer t using lazy, unnest($1::text[], $2::uuid[]) d (key, cause) where t.key = d.key and t.cause = d.cause`,
    [timers.map(({ key }) => key), timers.map(({ cause }) => cause)],
  );
}

/** Puts a timer that could not be done off until `dueAt`; when it `holds`, what comes after it for the same thing waits for it. */
export async function postponeTimer(
  sql: Sql,
  { key, cause }: StoredTimer,
  { dueAt, failure, holds }: { readonly dueAt: Instant; readonly failure: string; readonly holds: boolean },
): Promise<void> {
  await sql.query(
    'update projector.timer set due_at = $3, failures = failures + 1, failure = $4, holds = $5 where key = $1 and cause = $2',
    [key, cause, dueAt, failure, holds],
  );
}

/** Makes all that wait for an engine due at `now`. */
export async function hurryHeld(sql: Sql, now: Instant): Promise<void> {
  await sql.query('update projector.timer set due_at = $1 where holds and due_at > $1', [now]);
}

/** Makes of those that wait for an engine the next one due at `now`; false when none waits. */
export async function hurryOneHeld(sql: Sql, now: Instant): Promise<boolean> {
  const [one] = await sql.query(
    `update projector.timer set due_at = least(due_at, $1) where key =
      (select key from projector.timer t where holds and ${IN_TURN} order by due_at limit 1) returning key`,
    [now],
  );
  return one !== undefined;
}
