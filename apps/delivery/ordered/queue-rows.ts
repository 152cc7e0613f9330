import type { Sql } from '#postgres';
import type { WaitingRow } from '../dispatch/task';

/** A delivery that waits in an endpoint's queue, with what is needed to send it. */
export interface QueueRow extends WaitingRow {
  readonly created_at: string;
  readonly due_at: string | null;
  readonly replayed_at: string | null;
}

/** Deliveries of one entity in memory: an entity that fails must not fill the window. */
export const DEEPEST = 10;

const SELECT = `select d.id, q.sequence, q.key, q.due_at, d.message_id, d.type, d.tries, uuid_extract_timestamp(d.id) as created_at, d.replay, d.ladder, case when d.replay then d.changed_at::text end as replayed_at, b.body,
  1 + (select count(*) from delivery.attempt a where a.delivery_id = d.id) as number
  from delivery.queue q join delivery.delivery d on d.id = q.delivery_id join delivery.body b on b.id = d.body_id`;

/** What waits for a retry since before the endpoint asked for order comes into the queue page by page, the oldest first: nothing goes before it. */
const NOT_AHEAD = `and q.sequence < coalesce((select min(r.sequence) from delivery.retry r where r.endpoint = $1), ${Number.MAX_SAFE_INTEGER})`;

/** The next `limit` of the queue behind `after`. */
export const readOn = (
  sql: Sql,
  endpoint: number,
  { after, limit, inOrder }: { after: number; limit: number; inOrder: boolean },
): Promise<QueueRow[]> =>
  sql.query<QueueRow>(
    `${SELECT} where q.endpoint = $1 and q.sequence > $2 ${inOrder ? NOT_AHEAD : ''} order by q.sequence limit $3`,
    [endpoint, after, limit],
  );

/** What each of these lines begins with, from its `firsts` on up to `until`: of an entity its next ten, without order the one. */
export const readLines = (
  sql: Sql,
  endpoint: number,
  { names, firsts, until, inOrder }: { names: string[]; firsts: number[]; until: number; inOrder: boolean },
): Promise<(QueueRow & { readonly line: string })[]> =>
  sql.query<QueueRow & { line: string }>(
    `select w.line, x.* from unnest($2::text[], $3::bigint[]) as w (line, first) cross join lateral (
       ${SELECT} where q.endpoint = $1 and q.sequence between w.first and $4 and ${inOrder ? 'q.key = w.line' : 'q.sequence = w.first'}
       order by q.sequence limit ${DEEPEST}
     ) x order by x.sequence`,
    [endpoint, names, firsts, until],
  );

/** The name by which a worker holds an endpoint's lane (delivery.hold). */
export const laneName = (endpoint: number): string => `ordered:${endpoint}`;
