import type { Sql } from '#postgres';

/** Moved at once: a backlog takes turns with the live flow. */
const PAGE = 1_000;

/**
 * Puts what waits for a retry into the queue, for an endpoint that asks for order since: what comes next of an entity waits for it.
 * The oldest first; returns how many it moved.
 */
export async function intoLine(sql: Sql, endpoint: number): Promise<number> {
  const [row] = await sql.query<{ moved: number }>(INTO_LINE, [endpoint, PAGE]);
  return row!.moved;
}

const INTO_LINE = `with moved as (
    delete from delivery.retry r where r.delivery_id in (
      select o.delivery_id from delivery.retry o where o.endpoint = $1 order by o.sequence limit $2
    ) returning r.delivery_id, r.sequence, r.due_at
  ), requeued as (
    update delivery.sequence s set requeued = s.requeued + 1 where s.endpoint = $1 and exists (select from moved)
  ), queued as (
    insert into delivery.queue (endpoint, sequence, key, delivery_id, due_at)
    select d.endpoint, m.sequence, d.key, d.id, m.due_at from moved m join delivery.delivery d on d.id = m.delivery_id
    on conflict do nothing
  ) select count(*)::integer as moved from moved`;
