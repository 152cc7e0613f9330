-- Webhook deliveries. Written by the delivery app alone; docs/decisions/0007-delivery.md says why it has this shape.
create schema delivery;

-- One row: raised by every change of an endpoint, under the exclusive advisory lock, so that an intake whose memory of the
-- endpoints is old is refused by one comparison.
create table delivery.endpoint_version (
  one boolean primary key default true check (one),
  version bigint not null
);
insert into delivery.endpoint_version (version) values (1);

-- The delivery app's own table of endpoints. `no` stands for (workspace, id) in the big tables.
create table delivery.endpoint (
  no integer generated always as identity primary key,
  workspace text not null,
  id text not null,
  -- The whole configuration as of the newest change, secrets encrypted.
  config json not null,
  enabled boolean not null,
  -- catching_up: the live intake leaves it alone, its deliveries come from the log. live. deleted: only its deliveries remain.
  phase text not null check (phase in ('catching_up', 'live', 'deleted')),
  -- Log position of the newest change applied.
  position bigint not null,
  -- catching_up: the log has been read up to here. live: the live intake takes events after it.
  cursor bigint not null,
  -- What held from which position on: [{after, enabled, all: [[pattern…]…]}], oldest first.
  eras json not null,
  version bigint not null,
  -- Every attempt has failed since then; null while they do not.
  failing_since timestamptz,
  unique (workspace, id)
);
create index endpoint_version_key on delivery.endpoint (version);
create index endpoint_catching_up on delivery.endpoint (no) where phase = 'catching_up';

-- The last sequence number given to an endpoint. A row of its own: it changes with every batch.
create table delivery.sequence (
  endpoint integer primary key references delivery.endpoint (no),
  last bigint not null default 0
) with (fillfactor = 20);

-- What was handled: a message that comes again has no second effect. Partitioned by the day of the message itself, so that
-- the same message always meets the same unique index.
create table delivery.inbox (
  created_at timestamptz not null,
  position bigint not null,
  index smallint not null,
  primary key (position, index, created_at)
) partition by range (created_at);
create table delivery.inbox_default partition of delivery.inbox default;

-- Rendered once, shared by the deliveries of one message in one contract. The exact bytes that are signed.
create table delivery.body (
  id uuid primary key,
  body text not null
) partition by range (id);
create table delivery.body_default partition of delivery.body default;

-- Ids are UUIDv7, so their order is time and the tables are partitioned by day through them.
-- On the common way a row is never updated: a delivery without a `state` is delivered when it has an attempt that is `ok`,
-- and pending before. `state` is for everything else.
create table delivery.delivery (
  id uuid primary key,
  endpoint integer not null,
  sequence bigint not null,
  position bigint not null,
  -- The core event, and the id in the body (not the same where a contract has one id per delivery), both without `evt_`.
  event_id uuid not null,
  message_id uuid not null,
  body_id uuid not null,
  -- The contract's name for it.
  type text not null,
  key text not null,
  -- null: pending or delivered. queued (shown as pending): waits in delivery.retry or delivery.queue for its first attempt or a replay.
  state text check (state in ('queued', 'retrying', 'parked', 'discarded')),
  -- Why it was discarded: disabled, gone, deleted, discarded, superseded, expired.
  reason text,
  -- Failed attempts of the present ladder.
  tries smallint not null default 0,
  replay boolean not null default false,
  -- When it reached its present state; null on the common way.
  changed_at timestamptz
) partition by range (id);
create table delivery.delivery_default partition of delivery.delivery default;
create index delivery_newest on delivery.delivery (endpoint, id);
create index delivery_feed on delivery.delivery (endpoint, sequence);
create index delivery_state on delivery.delivery (endpoint, state, id) where state is not null;

-- Every attempt. Not unique by number: two workers that believed they held the same delivery both sent it, and both say so.
create table delivery.attempt (
  delivery_id uuid not null,
  number smallint not null,
  at timestamptz not null,
  duration_ms integer not null,
  ok boolean not null,
  status_code smallint,
  -- refused, resolve, connect, tls, send, headers, body, timeout, aborted.
  stage text,
  error text,
  response text
) partition by range (delivery_id);
create table delivery.attempt_default partition of delivery.attempt default;
create index attempt_of_delivery on delivery.attempt (delivery_id, number);

-- A process that delivers. Its leases and holds live as long as its heartbeat.
create table delivery.worker (
  id uuid primary key,
  name text not null,
  started_at timestamptz not null default now(),
  beat_at timestamptz not null default now()
) with (fillfactor = 20);

-- A batch in the hands of one worker; removed when all of it is recorded, taken over when the worker is dead.
create table delivery.lease (
  batch uuid primary key,
  worker uuid not null,
  deliveries uuid[] not null,
  created_at timestamptz not null default now()
);
alter table delivery.lease alter column deliveries set storage external;
create index lease_worker on delivery.lease (worker);

-- What one worker alone does: an ordered lane, a catch-up, a job, retention.
create table delivery.hold (
  name text primary key,
  worker uuid not null
);

-- Waits for its time: retries, replays, and what memory had no room for. In nobody's hands.
create table delivery.retry (
  delivery_id uuid primary key,
  endpoint integer not null,
  due_at timestamptz not null,
  -- For `latestOnly` endpoints: entity and type, of which only the newest is sent.
  coalesce_key text,
  sequence bigint not null
) with (fillfactor = 70);
create index retry_due on delivery.retry (endpoint, due_at);
create index retry_coalesce on delivery.retry (endpoint, coalesce_key, sequence) where coalesce_key is not null;

-- What waits for an `ordered` endpoint, in its order; the first of a key is in the hands of the lane's holder.
create table delivery.queue (
  endpoint integer not null,
  sequence bigint not null,
  key text not null,
  delivery_id uuid not null,
  -- When the first of its key may be tried again.
  due_at timestamptz,
  primary key (endpoint, sequence)
);
create index queue_key on delivery.queue (endpoint, key, sequence);
create index queue_delivery on delivery.queue (delivery_id);

-- Endpoints with anything in their queue: one index probe an endpoint.
create function delivery.queued_endpoints() returns table (endpoint integer) language sql stable as $$
  with recursive first as (
    (select q.endpoint from delivery.queue q order by q.endpoint limit 1)
    union all
    select n.endpoint from first f cross join lateral (
      select q.endpoint from delivery.queue q where q.endpoint > f.endpoint order by q.endpoint limit 1
    ) n
  )
  select * from first
$$;

-- Bulk replays.
create table delivery.job (
  id text not null,
  workspace text not null,
  endpoint integer not null,
  since timestamptz not null,
  until timestamptz not null,
  status_filter text,
  status text not null default 'running' check (status in ('running', 'done', 'failed')),
  total integer not null default 0,
  done integer not null default 0,
  -- Deliveries up to this id have been replayed.
  cursor uuid,
  error text,
  created_at timestamptz not null default now(),
  primary key (workspace, id)
);
create index job_running on delivery.job (created_at) where status = 'running';

-- What the log has yet to hear: a delivery was parked, an endpoint is gone or failing.
create table delivery.fact (
  id uuid primary key,
  workspace text not null,
  endpoint_id text not null,
  kind text not null check (kind in ('parked', 'gone', 'failing')),
  -- Of the delivery that led to it: null when it was none in particular.
  delivery_id uuid,
  type text,
  attempts integer,
  -- Log position of its event, whose correlation it carries on.
  position bigint,
  at timestamptz not null,
  tries integer not null default 0,
  due_at timestamptz not null
);
create index fact_due on delivery.fact (due_at);

-- The smallest id of a moment: ids are UUIDv7.
create function delivery.id_at(moment timestamptz) returns uuid language sql immutable parallel safe as $$
  select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Takes a batch of matched and rendered messages in: inbox, bodies, numbered deliveries and the batch's lease, or nothing.
-- `p_version` is the endpoints' version they were matched with; when it is old the one row (-1, present version) says so.
-- A delivery's place: 0 the batch's lease, 1 delivery.retry, 2 delivery.queue, 3 discarded because the endpoint is disabled.
-- Answers with the accepted deliveries (1-based ordinal) and their numbers.
create function delivery.intake(
  p_version bigint, p_worker uuid, p_batch uuid, p_now timestamptz,
  m_position bigint[], m_index smallint[], m_created timestamptz[],
  b_message integer[], b_id uuid[], b_body text[],
  d_message integer[], d_id uuid[], d_endpoint integer[], d_event uuid[], d_message_id uuid[], d_body uuid[], d_type text[], d_key text[],
  d_place smallint[], d_coalesce text[]
) returns table (ordinal integer, sequence bigint) language plpgsql as $$
declare
  present bigint;
  t_position bigint[];
  t_index smallint[];
  -- Ordinals of the messages that did not come before; null when none of them did.
  fresh integer[];
begin
  perform pg_advisory_xact_lock_shared(7305050);
  select v.version into present from delivery.endpoint_version v;
  if present <> p_version then
    return query select -1, present;
    return;
  end if;
  with taken as (
    insert into delivery.inbox as i (position, index, created_at)
    select * from unnest(m_position, m_index, m_created)
    on conflict do nothing
    returning i.position, i.index
  )
  select array_agg(taken.position), array_agg(taken.index) into t_position, t_index from taken;
  if t_position is null then
    return;
  end if;
  -- Nearly always all are new, and then no row need be looked up among them.
  if cardinality(t_position) < cardinality(m_position) then
    select array_agg(m.ord) into fresh
    from unnest(m_position, m_index) with ordinality as m (position, index, ord)
    join unnest(t_position, t_index) as t (position, index) using (position, index);
  end if;
  -- Always in the same order, so that two intakes cannot wait for each other.
  perform 1 from delivery.sequence s where s.endpoint = any (d_endpoint) order by s.endpoint for no key update;
  return query
  with chosen as (
    select d.*, row_number() over (partition by d.endpoint order by d.ord) as nth
    from unnest(d_message, d_id, d_endpoint, d_event, d_message_id, d_body, d_type, d_key, d_place, d_coalesce)
      with ordinality as d (message, id, endpoint, event_id, message_id, body_id, type, key, place, coalesce_key, ord)
    where fresh is null or d.message = any (fresh)
  ), counts as (
    select c.endpoint, count(*) as n from chosen c group by c.endpoint
  ), raised as (
    update delivery.sequence s set last = s.last + n from counts where s.endpoint = counts.endpoint
    returning s.endpoint, s.last - n as base
  ), numbered as (
    select c.*, m_position[c.message] as position, r.base + c.nth as seq
    from chosen c
    join raised r on r.endpoint = c.endpoint
  ), bodies as (
    insert into delivery.body (id, body)
    select b.id, b.body from unnest(b_message, b_id, b_body) as b (message, id, body) where fresh is null or b.message = any (fresh)
  ), deliveries as (
    insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state, reason, changed_at)
    select n.id, n.endpoint, n.seq, n.position, n.event_id, n.message_id, n.body_id, n.type, n.key,
      case n.place when 1 then 'queued' when 2 then 'queued' when 3 then 'discarded' end,
      case n.place when 3 then 'disabled' end,
      case when n.place > 0 then p_now end
    from numbered n
  ), waiting as (
    insert into delivery.retry (delivery_id, endpoint, due_at, coalesce_key, sequence)
    select n.id, n.endpoint, p_now, n.coalesce_key, n.seq from numbered n where n.place = 1
  ), queued as (
    insert into delivery.queue (endpoint, sequence, key, delivery_id)
    select n.endpoint, n.seq, n.key, n.id from numbered n where n.place = 2
  ), leased as (
    insert into delivery.lease (batch, worker, deliveries)
    select p_batch, p_worker, array_agg(n.id) from numbered n where n.place = 0 having count(*) > 0
  )
  select n.ord::integer, n.seq from numbered n;
end $$;

-- Writes deliveries of one endpoint that come from the log: its catch-up, or what a change of its types adds. The eras and the
-- cursor see to it that none is there already. Places as in delivery.intake.
create function delivery.backfill(
  p_worker uuid, p_batch uuid, p_now timestamptz, p_endpoint integer,
  d_position bigint[], d_id uuid[], d_event uuid[], d_message_id uuid[], d_body uuid[], b_body text[], d_type text[], d_key text[],
  d_place smallint[], d_coalesce text[]
) returns table (ordinal integer, sequence bigint) language plpgsql as $$
declare
  base bigint;
begin
  select s.last into base from delivery.sequence s where s.endpoint = p_endpoint for no key update;
  return query
  with given as (
    select d.* from unnest(d_position, d_id, d_event, d_message_id, d_body, b_body, d_type, d_key, d_place, d_coalesce)
      with ordinality as d (position, id, event_id, message_id, body_id, body, type, key, place, coalesce_key, ord)
  ), numbered as (
    select g.*, base + row_number() over (order by g.ord) as seq
    from given g
  ), bodies as (
    insert into delivery.body (id, body) select n.body_id, n.body from numbered n
  ), deliveries as (
    insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state, reason, changed_at)
    select n.id, p_endpoint, n.seq, n.position, n.event_id, n.message_id, n.body_id, n.type, n.key,
      case n.place when 1 then 'queued' when 2 then 'queued' when 3 then 'discarded' end,
      case n.place when 3 then 'disabled' end,
      case when n.place > 0 then p_now end
    from numbered n
  ), waiting as (
    insert into delivery.retry (delivery_id, endpoint, due_at, coalesce_key, sequence)
    select n.id, p_endpoint, p_now, n.coalesce_key, n.seq from numbered n where n.place = 1
  ), queued as (
    insert into delivery.queue (endpoint, sequence, key, delivery_id)
    select p_endpoint, n.seq, n.key, n.id from numbered n where n.place = 2
  ), leased as (
    insert into delivery.lease (batch, worker, deliveries)
    select p_batch, p_worker, array_agg(n.id) from numbered n where n.place = 0 having count(*) > 0
  ), raised as (
    update delivery.sequence s set last = base + (select count(*) from numbered) where s.endpoint = p_endpoint
  )
  select n.ord::integer, n.seq from numbered n;
end $$;

-- The endpoints' version, read under the lock that an intake holds: what an intake that has nothing to write compares.
create function delivery.version_under_lock() returns bigint language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(7305050);
  return (select version from delivery.endpoint_version);
end $$;

-- Functions that pick rows out of the big tables are planned without sequential scans: a plan that was made when the tables were
-- small must not be kept when they are not.

-- Records outcomes: attempts as they were, and for each exceptional one its decision, which counts only while the batch it
-- belongs to is still this worker's (or, for an ordered lane, while this worker holds the lane). Removes finished leases.
-- A decision's state: delivered, retrying, parked, discarded.
create function delivery.record(
  p_worker uuid, p_now timestamptz,
  a_delivery uuid[], a_number smallint[], a_at timestamptz[], a_ms integer[], a_ok boolean[], a_status smallint[], a_stage text[], a_error text[], a_response text[],
  x_delivery uuid[], x_batch uuid[], x_lane text[], x_endpoint integer[], x_sequence bigint[], x_state text[], x_reason text[], x_tries smallint[], x_due timestamptz[], x_coalesce text[],
  done_batches uuid[]
) returns uuid[] language plpgsql set enable_seqscan = off as $$
declare
  decided uuid[];
begin
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

-- Whether a delivery of this type to this endpoint is left out when a newer one of the same entity and type waits.
create function delivery.coalesce_key(config json, type text, key text) returns text language sql immutable as $$
  select case when (config ->> 'latestOnly')::boolean and type ~ '([._]progressed|[._]updated|\.rescheduled|\.compliant|\.violated)$' then key || E'\n' || type end
$$;

-- Gives up all that a worker holds: what it had not recorded waits in delivery.retry, due now, for whoever has room.
create function delivery.release(p_worker uuid, p_now timestamptz) returns integer language plpgsql set enable_seqscan = off as $$
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
    returning d.id, d.endpoint, d.sequence, d.type, d.key
  ), waiting as (
    insert into delivery.retry (delivery_id, endpoint, due_at, coalesce_key, sequence)
    select o.id, o.endpoint, p_now, delivery.coalesce_key(e.config, o.type, o.key), o.sequence
    from open o join delivery.endpoint e on e.no = o.endpoint
    on conflict (delivery_id) do nothing
    returning 1
  )
  select count(*) into given from waiting;
  delete from delivery.hold h where h.worker = p_worker;
  delete from delivery.worker w where w.id = p_worker;
  return given;
end $$;

-- Claims what is due of the given endpoints, at most `room` each, into one lease, oldest due first.
create function delivery.claim(p_worker uuid, p_batch uuid, p_now timestamptz, endpoints integer[], rooms integer[])
returns table (id uuid, endpoint integer, sequence bigint, message_id uuid, type text, key text, tries smallint, replay boolean, coalesce_key text, body text, number bigint)
language sql set enable_seqscan = off as $$
  with wanted as (
    select w.endpoint, w.room from unnest(endpoints, rooms) as w (endpoint, room)
  ), due as (
    select x.delivery_id
    from wanted w cross join lateral (
      select r.delivery_id from delivery.retry r where r.endpoint = w.endpoint and r.due_at <= p_now
      order by r.due_at limit w.room for update skip locked
    ) x
  ), taken as (
    delete from delivery.retry r using due where r.delivery_id = due.delivery_id returning r.delivery_id, r.coalesce_key
  ), found as (
    select d.id, d.endpoint, d.sequence, d.message_id, d.type, d.key, d.tries, d.replay, t.coalesce_key, b.body
    from taken t join delivery.delivery d on d.id = t.delivery_id join delivery.body b on b.id = d.body_id
  ), leased as (
    insert into delivery.lease (batch, worker, deliveries)
    select p_batch, p_worker, array_agg(f.id) from found f having count(*) > 0
  )
  select f.id, f.endpoint, f.sequence, f.message_id, f.type, f.key, f.tries, f.replay, f.coalesce_key, f.body,
    1 + (select count(*) from delivery.attempt a where a.delivery_id = f.id)
  from found f
  order by f.sequence
$$;

-- The status that the API shows.
create function delivery.status_of(p_id uuid, p_state text) returns text language sql stable as $$
  select case
    when p_state = 'queued' then 'pending'
    when p_state is not null then p_state
    when exists (select from delivery.attempt a where a.delivery_id = p_id and a.ok) then 'delivered'
    else 'pending'
  end
$$;

-- Sends deliveries of one endpoint again, as replays with a new ladder: through the lane's queue where it is ordered.
-- A retry that waits is moved to now, so that the two do not race.
create function delivery.replay(p_endpoint integer, p_ids uuid[], p_now timestamptz) returns integer language plpgsql set enable_seqscan = off as $$
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
    on conflict (delivery_id) do update set due_at = excluded.due_at
  )
  select count(*) into given from configured;
  return given;
end $$;

-- Gives a delivery up by hand, unless it was delivered. Answers whether anything changed.
create function delivery.discard(p_endpoint integer, p_id uuid, p_now timestamptz) returns boolean language plpgsql set enable_seqscan = off as $$
begin
  update delivery.delivery d set state = 'discarded', reason = 'discarded', changed_at = p_now
  where d.id = p_id and d.endpoint = p_endpoint and delivery.status_of(d.id, d.state) in ('pending', 'retrying', 'parked');
  if not found then
    return false;
  end if;
  delete from delivery.retry r where r.delivery_id = p_id;
  delete from delivery.queue q where q.delivery_id = p_id;
  return true;
end $$;

-- Gives up what waits for a closed endpoint, some at a time: a long backlog must not hold anybody up. Answers how many.
create function delivery.purge(p_endpoint integer, p_reason text, p_now timestamptz, p_limit integer) returns integer language plpgsql set enable_seqscan = off as $$
declare
  given integer;
begin
  with gone as (
    delete from delivery.retry r where r.delivery_id in (
      select w.delivery_id from delivery.retry w where w.endpoint = p_endpoint limit p_limit for update skip locked
    ) returning r.delivery_id
  ), unqueued as (
    delete from delivery.queue q where q.endpoint = p_endpoint and q.sequence in (
      select w.sequence from delivery.queue w where w.endpoint = p_endpoint order by w.sequence limit p_limit for update skip locked
    ) returning q.delivery_id
  )
  update delivery.delivery d set state = 'discarded', reason = p_reason, changed_at = p_now
  from (select delivery_id from gone union all select delivery_id from unqueued) w
  where d.id = w.delivery_id;
  get diagnostics given = row_count;
  return given;
end $$;

-- Gives up what waits in delivery.retry and is older than a newer one of the same entity and type.
create function delivery.supersede(p_endpoint integer[], p_coalesce text[], p_sequence bigint[], p_now timestamptz) returns integer language plpgsql set enable_seqscan = off as $$
declare
  given integer;
begin
  with old as (
    delete from delivery.retry r using unnest(p_endpoint, p_coalesce, p_sequence) as n (endpoint, coalesce_key, sequence)
    where r.endpoint = n.endpoint and r.coalesce_key = n.coalesce_key and r.sequence < n.sequence
    returning r.delivery_id
  )
  update delivery.delivery d set state = 'discarded', reason = 'superseded', changed_at = p_now from old where d.id = old.delivery_id;
  get diagnostics given = row_count;
  return given;
end $$;

-- Drops one day's partitions, giving way like make_day. What is still open or parked moves to the default partitions, with its body and attempts.
create function delivery.drop_day(p_day date) returns integer language plpgsql set lock_timeout = '500ms' as $$
declare
  suffix text := to_char(p_day, '_YYYYMMDD');
  parent text;
  dropped integer := 0;
begin
  perform pg_advisory_xact_lock(7305051);
  foreach parent in array array['delivery', 'attempt', 'body', 'inbox'] loop
    continue when to_regclass('delivery.' || parent || suffix) is null;
    execute format('alter table delivery.%I detach partition delivery.%I', parent, parent || suffix);
    dropped := dropped + 1;
  end loop;
  if to_regclass('delivery.delivery' || suffix) is not null then
    execute format($q$insert into delivery.delivery select * from delivery.%I where state in ('queued', 'retrying', 'parked')$q$, 'delivery' || suffix);
    execute format($q$insert into delivery.attempt select a.* from delivery.%I a join delivery.delivery_default d on d.id = a.delivery_id$q$, 'attempt' || suffix);
    execute format($q$insert into delivery.body select b.* from delivery.%I b where b.id in (select d.body_id from delivery.delivery_default d)$q$, 'body' || suffix);
  end if;
  foreach parent in array array['delivery', 'attempt', 'body', 'inbox'] loop
    execute format('drop table if exists delivery.%I', parent || suffix);
  end loop;
  return dropped;
end $$;

-- When the next of each endpoint that has anything waiting is due: one index probe an endpoint, however much waits.
create function delivery.next_due() returns table (endpoint integer, due_at timestamptz) language sql stable set enable_seqscan = off as $$
  with recursive first as (
    (select r.endpoint, r.due_at from delivery.retry r order by r.endpoint, r.due_at limit 1)
    union all
    select n.endpoint, n.due_at from first f cross join lateral (
      select r.endpoint, r.due_at from delivery.retry r where r.endpoint > f.endpoint order by r.endpoint, r.due_at limit 1
    ) n
  )
  select * from first
$$;

-- The day partitions that are missing.
create function delivery.missing_days(first_day date, days integer) returns table (parent text, day date) language sql stable as $$
  select p, first_day + n
  from generate_series(0, days - 1) n cross join unnest(array['inbox', 'body', 'delivery', 'attempt']) p
  where to_regclass('delivery.' || p || to_char(first_day + n, '_YYYYMMDD')) is null
  order by 2, 1
$$;

-- Makes one of them: each in a transaction of its own, and giving way rather than waiting, so that it is never part of a deadlock.
create function delivery.make_day(p_parent text, p_day date) returns void language plpgsql set lock_timeout = '500ms' as $$
declare
  name text := p_parent || to_char(p_day, '_YYYYMMDD');
  from_moment timestamptz := p_day::timestamp at time zone 'UTC';
  to_moment timestamptz := (p_day + 1)::timestamp at time zone 'UTC';
begin
  perform pg_advisory_xact_lock(7305051);
  if to_regclass('delivery.' || name) is not null then
    return;
  end if;
  if p_parent = 'inbox' then
    execute format('create table delivery.%I partition of delivery.inbox for values from (%L) to (%L)', name, from_moment, to_moment);
  else
    execute format('create table delivery.%I partition of delivery.%I for values from (%L) to (%L)', name, p_parent, delivery.id_at(from_moment), delivery.id_at(to_moment));
  end if;
exception when check_violation then
  -- The default partition already holds rows of that day (a clock that was wrong): they stay where they are.
  null;
end $$;
