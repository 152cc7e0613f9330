-- Which of its ladders a delivery is on: a replay begins another one, also while an attempt of the one before is under way.
alter table delivery.delivery add column ladder integer not null default 0;

create or replace function delivery.replay(p_endpoint integer, p_ids uuid[], p_now timestamptz) returns integer language plpgsql set enable_seqscan = off as $$
declare
  given integer;
begin
  with again as (
    update delivery.delivery d set state = 'queued', reason = null, tries = 0, replay = true, ladder = d.ladder + 1, changed_at = p_now
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

drop function delivery.claim(uuid, uuid, timestamptz, integer[], integer[]);

-- As before, with the ladder.
create function delivery.claim(p_worker uuid, p_batch uuid, p_now timestamptz, endpoints integer[], rooms integer[])
returns table (id uuid, endpoint integer, sequence bigint, message_id uuid, type text, key text, tries smallint, replay boolean, coalesce_key text, body text, number bigint, ladder integer)
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
      select r.delivery_id, r.endpoint, r.coalesce_key, r.sequence
      from (
        select o.delivery_id from (
          select f.delivery_id, f.due_at from delivery.retry f where f.endpoint = w.endpoint order by f.sequence limit 4 * w.room
        ) o where o.due_at <= p_now
        union
        (select f.delivery_id from delivery.retry f where f.endpoint = w.endpoint and f.due_at <= p_now order by f.due_at limit w.room)
      ) c join delivery.retry r on r.delivery_id = c.delivery_id
      order by r.sequence limit w.room for update of r skip locked
    ) x
  ), taken as (
    delete from delivery.retry r using due where r.delivery_id = due.delivery_id returning r.delivery_id, r.coalesce_key, due.is_old
  ), left_out as (
    update delivery.delivery d set state = 'discarded', reason = 'superseded', changed_at = p_now
    from taken t where t.is_old and d.id = t.delivery_id
  ), found as (
    select d.id, d.endpoint, d.sequence, d.message_id, d.type, d.key, d.tries, d.replay, d.ladder, t.coalesce_key, b.body
    from taken t join delivery.delivery d on d.id = t.delivery_id join delivery.body b on b.id = d.body_id
    where not t.is_old
  ), leased as (
    insert into delivery.lease (batch, worker, deliveries)
    select p_batch, p_worker, array_agg(f.id) from found f having count(*) > 0
  )
  select f.id, f.endpoint, f.sequence, f.message_id, f.type, f.key, f.tries, f.replay, f.coalesce_key, f.body,
    1 + (select count(*) from delivery.attempt a where a.delivery_id = f.id), f.ladder
  from found f
  order by f.sequence
$$;

drop function delivery.record(uuid, timestamptz, uuid[], smallint[], timestamptz[], integer[], boolean[], smallint[], text[], text[], text[],
  uuid[], uuid[], text[], integer[], bigint[], text[], text[], smallint[], timestamptz[], text[], timestamptz[], uuid[], boolean[]);

-- As before, but what follows for a ladder that is over counts no more: the attempt is written, and that is all. A process that does not know of
-- ladders yet leaves them out.
create function delivery.record(
  p_worker uuid, p_now timestamptz,
  a_delivery uuid[], a_number smallint[], a_at timestamptz[], a_ms integer[], a_ok boolean[], a_status smallint[], a_stage text[], a_error text[], a_response text[],
  x_delivery uuid[], x_batch uuid[], x_lane text[], x_endpoint integer[], x_sequence bigint[], x_state text[], x_reason text[], x_tries smallint[], x_due timestamptz[], x_coalesce text[], x_replayed timestamptz[],
  done_batches uuid[],
  a_erased boolean[] default null, x_ladder integer[] default null
) returns uuid[] language plpgsql set enable_seqscan = off as $$
declare
  decided uuid[];
begin
  perform set_config('synchronous_commit', 'off', true);
  if cardinality(a_delivery) > 0 then
    insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code, stage, error, response, erased)
    select * from unnest(a_delivery, a_number, a_at, a_ms, a_ok, a_status, a_stage, a_error, a_response, a_erased);
  end if;
  if cardinality(x_delivery) > 0 then
    -- What is asked for meanwhile waits, so that the next statement sees all that was. First the hold, as everybody does.
    perform from delivery.hold h where h.name = any (x_lane) and h.worker = p_worker for key share;
    perform from delivery.delivery d where d.id = any (x_delivery) and x_lane is not null order by d.id for no key update;
    with mine as (
      select l.batch from delivery.lease l where l.batch = any (x_batch) and l.worker = p_worker for key share
    ), lanes as (
      select h.name from delivery.hold h where h.name = any (x_lane) and h.worker = p_worker for key share
    ), given as (
      select x.* from unnest(x_delivery, x_batch, x_lane, x_endpoint, x_sequence, x_state, x_reason, x_tries, x_due, x_coalesce, x_replayed, x_ladder)
        as x (id, batch, lane, endpoint, sequence, state, reason, tries, due_at, coalesce_key, replayed_at, ladder)
      where x.batch in (select mine.batch from mine) or x.lane in (select lanes.name from lanes) and not exists (
        select from delivery.delivery d where d.id = x.id and d.state = 'queued' and d.replay and d.changed_at is distinct from x.replayed_at)
    ), changed as (
      update delivery.delivery d
      set state = nullif(g.state, 'delivered'), reason = g.reason, tries = g.tries, changed_at = p_now
      from given g
      where d.id = g.id and d.state is distinct from 'discarded' and (d.state is distinct from 'parked' or g.state = 'delivered')
        and d.ladder = coalesce(g.ladder, d.ladder)
      returning d.id
    ), waiting as (
      insert into delivery.retry (delivery_id, endpoint, due_at, coalesce_key, sequence)
      select g.id, g.endpoint, g.due_at, g.coalesce_key, g.sequence
      from given g join changed c on c.id = g.id
      where g.state = 'retrying' and g.lane is null
      on conflict (delivery_id) do nothing
    ), held as (
      update delivery.queue q set due_at = g.due_at from given g
      where g.lane is not null and g.state = 'retrying' and q.endpoint = g.endpoint and q.sequence = g.sequence
    ), passed as (
      delete from delivery.queue q using given g
      where g.lane is not null and g.state <> 'retrying' and q.endpoint = g.endpoint and q.sequence = g.sequence
    )
    select array_agg(changed.id) into decided from changed;
  end if;
  if cardinality(done_batches) > 0 then
    delete from delivery.lease l where l.batch = any (done_batches) and l.worker = p_worker;
  end if;
  return coalesce(decided, '{}');
end $$;
