-- What is put into the queue of an `ordered` endpoint behind what its lane's holder has read (a replay, a revival) is counted in the
-- same transaction: the holder looks at the count, so a wake-up that was lost costs a second and no delivery.
alter table delivery.sequence add column requeued bigint not null default 0;

-- As before, but it counts what it puts into a queue.
create or replace function delivery.replay(p_endpoint integer, p_ids uuid[], p_now timestamptz) returns integer language plpgsql set enable_seqscan = off as $$
declare
  given integer;
begin
  with again as (
    update delivery.delivery d set state = 'queued', reason = null, tries = 0, replay = true, changed_at = p_now
    where d.id = any (p_ids) and d.endpoint = p_endpoint
    returning d.id, d.endpoint, d.sequence, d.key
  ), configured as (
    select a.*, (e.config ->> 'ordered')::boolean as is_ordered from again a join delivery.endpoint e on e.no = a.endpoint
  ), queued as (
    insert into delivery.queue (endpoint, sequence, key, delivery_id)
    select c.endpoint, c.sequence, c.key, c.id from configured c where c.is_ordered
    on conflict (endpoint, sequence) do update set due_at = null
  ), requeued as (
    update delivery.sequence s set requeued = s.requeued + 1
    where s.endpoint = p_endpoint and exists (select from configured c where c.is_ordered)
  ), waiting as (
    insert into delivery.retry (delivery_id, endpoint, due_at, sequence)
    select c.id, c.endpoint, p_now, c.sequence from configured c where not c.is_ordered
    on conflict (delivery_id) do update set due_at = excluded.due_at, coalesce_key = null
  )
  select count(*) into given from configured;
  return given;
end $$;
