import type { Sql } from '#postgres';

/**
 * Gives up what is older than the newest of its entity and type in the queue of an endpoint that wants the latest only; what was
 * replayed by hand stays. Nothing of these entities may be under way.
 */
export const prune = async (sql: Sql, endpoint: number, keys: readonly string[], now: string): Promise<void> =>
  void (await sql.query(PRUNE, [endpoint, keys, now]));

const PRUNE = `with waiting as (
    select q.delivery_id as id, q.sequence, max(q.sequence) over (partition by delivery.coalesce_key(e.config, d.type, d.key)) as newest
    from delivery.endpoint e join delivery.queue q on q.endpoint = e.no join delivery.delivery d on d.id = q.delivery_id
    where e.no = $1 and q.key = any($2) and not d.replay and delivery.coalesce_key(e.config, d.type, d.key) is not null
  ), old as (
    update delivery.delivery d set state = 'discarded', reason = 'superseded', changed_at = $3
    from waiting w where d.id = w.id and w.sequence < w.newest and not d.replay
    returning d.id
  ) delete from delivery.queue q using old where q.delivery_id = old.id`;
