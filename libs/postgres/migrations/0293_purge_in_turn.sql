-- As before, but whoever writes an outcome, a replay or a discard has the delivery before its place in the queue: so has this one now. Each
-- had what the other waited for when an `ordered` endpoint was closed just then, and the server ended one of the two after a second.
create or replace function delivery.purge(p_endpoint integer, p_reason text, p_now timestamptz, p_limit integer) returns integer language plpgsql set enable_seqscan = off as $$
declare
  ids uuid[];
  sequences bigint[];
  given integer;
begin
  select array_agg(w.delivery_id), array_agg(w.sequence) into ids, sequences
  from (select q.delivery_id, q.sequence from delivery.queue q where q.endpoint = p_endpoint order by q.sequence limit p_limit) w;
  perform from delivery.delivery d where d.id = any (ids) order by d.id for no key update;
  with gone as (
    delete from delivery.retry r where r.delivery_id in (
      select w.delivery_id from delivery.retry w where w.endpoint = p_endpoint limit p_limit for update skip locked
    ) returning r.delivery_id
  ), unqueued as (
    delete from delivery.queue q where q.endpoint = p_endpoint and q.sequence = any (sequences) returning q.delivery_id
  )
  update delivery.delivery d set state = 'discarded', reason = p_reason, changed_at = p_now
  from (select delivery_id from gone union all select delivery_id from unqueued) w
  where d.id = w.delivery_id;
  get diagnostics given = row_count;
  return given;
end $$;
