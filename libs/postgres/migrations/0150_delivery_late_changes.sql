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

-- Log position of the newest change that enabled the endpoint: what happened after it is not given up by what was known before it.
alter table delivery.endpoint add column enabled_after bigint not null default 0;

-- Which of these deliveries, given up by the endpoints as they were at the log positions `p_as_of`, are not: their endpoint has been
-- enabled since, at a position before theirs. A change of an endpoint that is being written is waited for; one that comes later finds
-- what the caller has written.
create function delivery.reopened(p_ids uuid[], p_endpoints integer[], p_as_of bigint[]) returns uuid[] language plpgsql set enable_seqscan = off as $$
begin
  perform 1 from delivery.endpoint e where e.no = any (p_endpoints) order by e.no for share;
  return (
    select coalesce(array_agg(d.id), '{}')
    from unnest(p_ids, p_endpoints, p_as_of) as g (id, endpoint, as_of)
    join delivery.endpoint e on e.no = g.endpoint
    join delivery.delivery d on d.id = g.id
    where e.enabled and e.phase <> 'deleted' and e.enabled_after > g.as_of and d.position > e.enabled_after
  );
end $$;
