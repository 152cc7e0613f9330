-- latestOnly, also where attempts of two deliveries of one entity overlap: an older one that fails after a newer one went through
-- is superseded, whichever of the two is recorded first, and by whichever worker.

-- The newest delivery of an entity and type that has been recorded, for `latestOnly` endpoints alone. Its row is also what makes
-- two recorders of the same entity take turns. Kept for a day: what is older has no attempt under way any more.
create table delivery.newest (
  endpoint integer not null,
  coalesce_key text not null,
  sequence bigint not null,
  at timestamptz not null,
  primary key (endpoint, coalesce_key)
) with (fillfactor = 70);

drop function delivery.supersede(integer[], text[], bigint[], timestamptz);

-- Told of recorded deliveries that have a coalesce key, it gives up what is older than the newest of the same key: what waits in
-- delivery.retry (by now also those of the given that are to be retried), and those of the given that have just been parked.
-- Answers with the given ones that were given up.
create function delivery.supersede(p_delivery uuid[], p_endpoint integer[], p_coalesce text[], p_sequence bigint[], p_now timestamptz)
returns uuid[] language plpgsql set enable_seqscan = off as $$
declare
  given uuid[];
begin
  -- Always in the same order, so that two recorders cannot wait for each other. Whoever comes second sees, in the next statement,
  -- what the first has written.
  insert into delivery.newest as n (endpoint, coalesce_key, sequence, at)
  select g.endpoint, g.coalesce_key, max(g.sequence), p_now
  from unnest(p_endpoint, p_coalesce, p_sequence) as g (endpoint, coalesce_key, sequence)
  group by g.endpoint, g.coalesce_key
  order by g.endpoint, g.coalesce_key
  on conflict (endpoint, coalesce_key) do update set sequence = greatest(n.sequence, excluded.sequence), at = excluded.at;

  with newest as (
    select distinct n.endpoint, n.coalesce_key, n.sequence
    from unnest(p_endpoint, p_coalesce) as g (endpoint, coalesce_key) join delivery.newest n using (endpoint, coalesce_key)
  ), waited as (
    delete from delivery.retry r using newest n
    where r.endpoint = n.endpoint and r.coalesce_key = n.coalesce_key and r.sequence < n.sequence
    returning r.delivery_id
  ), failed as (
    select g.id from unnest(p_delivery, p_endpoint, p_coalesce, p_sequence) as g (id, endpoint, coalesce_key, sequence)
    join newest n using (endpoint, coalesce_key)
    where g.sequence < n.sequence
  ), old as (
    select w.delivery_id as id, false as must_be_parked from waited w
    union all select f.id, true from failed f
  ), changed as (
    update delivery.delivery d set state = 'discarded', reason = 'superseded', changed_at = p_now
    from old o where d.id = o.id and (d.state = 'parked' or not o.must_be_parked)
    returning d.id
  )
  select array_agg(c.id) into given from changed c where c.id = any (p_delivery);
  return coalesce(given, '{}');
end $$;

-- Claims what is due of the given endpoints, at most `room` each, into one lease, oldest due first. What a newer one of its
-- entity has made worthless is given up instead: after an outage only the newest of each is sent.
create or replace function delivery.claim(p_worker uuid, p_batch uuid, p_now timestamptz, endpoints integer[], rooms integer[])
returns table (id uuid, endpoint integer, sequence bigint, message_id uuid, type text, key text, tries smallint, replay boolean, coalesce_key text, body text, number bigint)
language sql set enable_seqscan = off as $$
  with wanted as (
    select w.endpoint, w.room from unnest(endpoints, rooms) as w (endpoint, room)
  ), due as (
    select x.delivery_id,
      case when x.coalesce_key is null then false else
        exists (select from delivery.retry n where n.endpoint = x.endpoint and n.coalesce_key = x.coalesce_key and n.sequence > x.sequence)
        or exists (select from delivery.newest n where n.endpoint = x.endpoint and n.coalesce_key = x.coalesce_key and n.sequence > x.sequence)
      end as is_old
    from wanted w cross join lateral (
      select r.delivery_id, r.endpoint, r.coalesce_key, r.sequence from delivery.retry r where r.endpoint = w.endpoint and r.due_at <= p_now
      order by r.due_at limit w.room for update skip locked
    ) x
  ), taken as (
    delete from delivery.retry r using due where r.delivery_id = due.delivery_id returning r.delivery_id, r.coalesce_key, due.is_old
  ), left_out as (
    update delivery.delivery d set state = 'discarded', reason = 'superseded', changed_at = p_now
    from taken t where t.is_old and d.id = t.delivery_id
  ), found as (
    select d.id, d.endpoint, d.sequence, d.message_id, d.type, d.key, d.tries, d.replay, t.coalesce_key, b.body
    from taken t join delivery.delivery d on d.id = t.delivery_id join delivery.body b on b.id = d.body_id
    where not t.is_old
  ), leased as (
    insert into delivery.lease (batch, worker, deliveries)
    select p_batch, p_worker, array_agg(f.id) from found f having count(*) > 0
  )
  select f.id, f.endpoint, f.sequence, f.message_id, f.type, f.key, f.tries, f.replay, f.coalesce_key, f.body,
    1 + (select count(*) from delivery.attempt a where a.delivery_id = f.id)
  from found f
  order by f.sequence
$$;

-- As before, but what somebody asks for by hand is sent whatever newer there is.
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
  ), waiting as (
    insert into delivery.retry (delivery_id, endpoint, due_at, sequence)
    select c.id, c.endpoint, p_now, c.sequence from configured c where not c.is_ordered
    on conflict (delivery_id) do update set due_at = excluded.due_at, coalesce_key = null
  )
  select count(*) into given from configured;
  return given;
end $$;

-- As before, but a replay of a dead worker's stays what somebody asked for.
create or replace function delivery.release(p_worker uuid, p_now timestamptz) returns integer language plpgsql set enable_seqscan = off as $$
declare
  given integer;
begin
  with released as (
    delete from delivery.lease l where l.worker = p_worker returning l.deliveries
  ), held as (
    select unnest(r.deliveries) as id from released r
  ), open as (
    update delivery.delivery d set state = coalesce(d.state, 'queued'), changed_at = p_now
    from held h
    where d.id = h.id
      and (d.state in ('queued', 'retrying') or (d.state is null and not exists (select from delivery.attempt a where a.delivery_id = h.id and a.ok)))
      and not exists (select from delivery.retry r where r.delivery_id = h.id)
    returning d.id, d.endpoint, d.sequence, d.type, d.key, d.replay
  ), waiting as (
    insert into delivery.retry (delivery_id, endpoint, due_at, coalesce_key, sequence)
    select o.id, o.endpoint, p_now, case when not o.replay then delivery.coalesce_key(e.config, o.type, o.key) end, o.sequence
    from open o join delivery.endpoint e on e.no = o.endpoint
    on conflict (delivery_id) do nothing
    returning 1
  )
  select count(*) into given from waiting;
  delete from delivery.hold h where h.worker = p_worker;
  delete from delivery.worker w where w.id = p_worker;
  return given;
end $$;
