-- Intake and record, made for many rows a statement and for one: what is the same for a batch is told once, numbers are counted by the
-- caller, and what is rarely needed is a statement of its own, run only then.
drop function delivery.intake(
  bigint, uuid, uuid, timestamptz, bigint[], smallint[], timestamptz[], integer[], uuid[], text[],
  integer[], uuid[], integer[], uuid[], uuid[], uuid[], text[], text[], smallint[], text[]
);

-- Takes a batch of matched and rendered messages in: inbox, bodies, numbered deliveries and the batch's lease, or nothing at all.
-- Ordinals are 1-based. Messages: position and index, the moment, the core event's id. Bodies: as rendered. Endpoints: rising, each with
-- the number of its deliveries here. Deliveries: ordinals of message, body, endpoint and type, and which of its endpoint's it is.
-- Null for a whole column: d_message_id is the event's, d_place is 0, d_coalesce is none.
-- A delivery's place: 0 the batch's lease, 1 delivery.retry, 2 delivery.queue, 3 discarded because the endpoint is disabled.
-- The answer: `stale` when the endpoints have changed since `p_version`, `known` when a message came before, or `taken`, and then
-- after which sequence number each endpoint's deliveries begin.
create function delivery.intake(
  p_version bigint, p_worker uuid, p_batch uuid, p_now timestamptz,
  m_position bigint[], m_index smallint[], m_created timestamptz[], m_event uuid[],
  b_id uuid[], b_body text[],
  e_endpoint integer[], e_count integer[], t_type text[],
  d_id uuid[], d_message integer[], d_body integer[], d_endpoint integer[], d_nth integer[], d_type integer[], d_key text[],
  d_message_id uuid[], d_place smallint[], d_coalesce text[],
  out answer text, out bases bigint[]
) language plpgsql as $$
declare
  base bigint;
begin
  perform pg_advisory_xact_lock_shared(7305050);
  if (select v.version from delivery.endpoint_version v) <> p_version then
    answer := 'stale';
    return;
  end if;
  begin
    insert into delivery.inbox (position, index, created_at) select * from unnest(m_position, m_index, m_created);
  exception when unique_violation then
    answer := 'known';
    return;
  end;
  -- One after the other, always in the same order, so that two intakes cannot wait for each other.
  for nth in 1 .. cardinality(e_endpoint) loop
    update delivery.sequence s set last = s.last + e_count[nth] where s.endpoint = e_endpoint[nth]
    returning s.last - e_count[nth] into strict base;
    bases[nth] := base;
  end loop;
  insert into delivery.body (id, body) select * from unnest(b_id, b_body);
  insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state, reason, changed_at)
  select d.id, e_endpoint[d.endpoint], bases[d.endpoint] + d.nth, m_position[d.message], m_event[d.message],
    coalesce(d.message_id, m_event[d.message]), b_id[d.body], t_type[d.type], d.key,
    case d.place when 1 then 'queued' when 2 then 'queued' when 3 then 'discarded' end,
    case d.place when 3 then 'disabled' end,
    case when d.place > 0 then p_now end
  from unnest(d_id, d_message, d_body, d_endpoint, d_nth, d_type, d_key, d_message_id, d_place)
    as d (id, message, body, endpoint, nth, type, key, message_id, place);
  if d_place is null then
    insert into delivery.lease (batch, worker, deliveries) values (p_batch, p_worker, d_id);
  else
    insert into delivery.lease (batch, worker, deliveries)
    select p_batch, p_worker, array_agg(d.id) from unnest(d_id, d_place) as d (id, place) where d.place = 0 having count(*) > 0;
    insert into delivery.retry (delivery_id, endpoint, due_at, coalesce_key, sequence)
    select d.id, e_endpoint[d.endpoint], p_now, d.coalesce_key, bases[d.endpoint] + d.nth
    from unnest(d_id, d_endpoint, d_nth, d_place, d_coalesce) as d (id, endpoint, nth, place, coalesce_key) where d.place = 1;
    insert into delivery.queue (endpoint, sequence, key, delivery_id)
    select e_endpoint[d.endpoint], bases[d.endpoint] + d.nth, d.key, d.id
    from unnest(d_id, d_endpoint, d_nth, d_place, d_key) as d (id, endpoint, nth, place, key) where d.place = 2;
  end if;
  answer := 'taken';
end $$;

-- As before, but it says itself that its commit does not wait for the disk, so it can be a statement of its own: outcomes are made again
-- after a crash of the database. Null for all columns of the exceptional ones: there are none.
create or replace function delivery.record(
  p_worker uuid, p_now timestamptz,
  a_delivery uuid[], a_number smallint[], a_at timestamptz[], a_ms integer[], a_ok boolean[], a_status smallint[], a_stage text[], a_error text[], a_response text[],
  x_delivery uuid[], x_batch uuid[], x_lane text[], x_endpoint integer[], x_sequence bigint[], x_state text[], x_reason text[], x_tries smallint[], x_due timestamptz[], x_coalesce text[],
  done_batches uuid[]
) returns uuid[] language plpgsql set enable_seqscan = off as $$
declare
  decided uuid[];
begin
  perform set_config('synchronous_commit', 'off', true);
  if cardinality(a_delivery) > 0 then
    insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code, stage, error, response)
    select * from unnest(a_delivery, a_number, a_at, a_ms, a_ok, a_status, a_stage, a_error, a_response);
  end if;
  if cardinality(x_delivery) > 0 then
    with mine as (
      select l.batch from delivery.lease l where l.batch = any (x_batch) and l.worker = p_worker for key share
    ), lanes as (
      select h.name from delivery.hold h where h.name = any (x_lane) and h.worker = p_worker for key share
    ), given as (
      select x.* from unnest(x_delivery, x_batch, x_lane, x_endpoint, x_sequence, x_state, x_reason, x_tries, x_due, x_coalesce)
        as x (id, batch, lane, endpoint, sequence, state, reason, tries, due_at, coalesce_key)
      where x.batch in (select mine.batch from mine) or x.lane in (select lanes.name from lanes)
    ), changed as (
      update delivery.delivery d
      set state = nullif(g.state, 'delivered'), reason = g.reason, tries = g.tries, changed_at = p_now
      from given g
      where d.id = g.id and d.state is distinct from 'discarded' and (d.state is distinct from 'parked' or g.state = 'delivered')
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
