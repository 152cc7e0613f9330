-- The schema after every migration. Generated: UPDATE_DOCS=1 npm test -- libs/postgres/schema

table api.idempotency (
  workspace text not null,
  key text not null,
  fingerprint text not null,
  at timestamp with time zone not null,
  epoch integer not null default 1,
  lease_until timestamp with time zone not null,
  answer text
);

table api.key (
  workspace text not null,
  id text not null,
  name text not null,
  kind text not null,
  scopes text[] not null,
  hash text not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone
);

table api.rate (
  workspace text not null,
  key_id text not null,
  window_start timestamp with time zone not null,
  used integer not null
);

table api.setting (
  name text not null,
  value text not null
);

table bus.dead_letter (
  group_name text not null,
  "position" bigint not null,
  partition smallint not null,
  topic text not null,
  key text not null,
  id text not null,
  type text not null,
  headers text not null,
  value text not null,
  reason text not null,
  parked_at timestamp with time zone not null default now()
);

table bus.group_member (
  group_name text not null,
  member uuid not null,
  joined_at timestamp with time zone not null default clock_timestamp(),
  lease_until timestamp with time zone not null
) with (fillfactor=50);

table bus.group_offset (
  group_name text not null,
  partition smallint not null,
  "position" bigint not null,
  owner uuid,
  epoch bigint not null default 0
) with (fillfactor=50);

table bus.head (
  one boolean not null default true,
  "position" bigint not null,
  at timestamp with time zone not null,
  partitioned_until timestamp with time zone not null,
  dropped bigint not null default 0
) with (fillfactor=10);

unlogged table bus.incarnation (
  one boolean not null default true,
  id uuid not null default gen_random_uuid()
);

table bus.message (
  "position" bigint not null,
  created_at timestamp with time zone not null,
  partition smallint not null,
  topic text not null,
  key text not null,
  id text not null,
  type text not null,
  headers text not null,
  value text not null
) partition by RANGE (created_at);

table delivery.attempt (
  delivery_id uuid not null,
  number smallint not null,
  at timestamp with time zone not null,
  duration_ms integer not null,
  ok boolean not null,
  status_code smallint,
  stage text,
  error text,
  response text,
  erased boolean
) partition by RANGE (delivery_id);

table delivery.awake (
  one boolean not null default true,
  at timestamp with time zone not null
);

table delivery.body (
  id uuid not null,
  body text not null
) partition by RANGE (id);

table delivery.delivery (
  id uuid not null,
  endpoint integer not null,
  sequence bigint not null,
  "position" bigint not null,
  event_id uuid not null,
  message_id uuid not null,
  body_id uuid not null,
  type text not null,
  key text not null,
  state text,
  reason text,
  tries smallint not null default 0,
  replay boolean not null default false,
  changed_at timestamp with time zone,
  ladder integer not null default 0
) partition by RANGE (id);

table delivery.endpoint (
  no integer not null identity,
  workspace text not null,
  id text not null,
  config json not null,
  enabled boolean not null,
  phase text not null,
  "position" bigint not null,
  cursor bigint not null,
  eras json not null,
  version bigint not null,
  failing_since timestamp with time zone,
  enabled_after bigint not null default 0
);

table delivery.endpoint_version (
  one boolean not null default true,
  version bigint not null
);

table delivery.fact (
  id uuid not null,
  workspace text not null,
  endpoint_id text not null,
  kind text not null,
  delivery_id uuid,
  type text,
  attempts integer,
  "position" bigint,
  at timestamp with time zone not null,
  tries integer not null default 0,
  due_at timestamp with time zone not null,
  as_of bigint
);

table delivery.hold (
  name text not null,
  worker uuid not null
);

table delivery.inbox (
  created_at timestamp with time zone not null,
  "position" bigint not null,
  index smallint not null
) partition by RANGE (created_at);

table delivery.job (
  id text not null,
  workspace text not null,
  endpoint integer not null,
  since timestamp with time zone not null,
  until timestamp with time zone not null,
  status_filter text,
  status text not null default 'running'::text,
  total integer not null default 0,
  done integer not null default 0,
  cursor uuid,
  error text,
  created_at timestamp with time zone not null default now()
);

table delivery.lease (
  batch uuid not null,
  worker uuid not null,
  deliveries uuid[] not null,
  created_at timestamp with time zone not null default now()
);

table delivery.newest (
  endpoint integer not null,
  coalesce_key text not null,
  sequence bigint not null,
  at timestamp with time zone not null
) with (fillfactor=70);

view delivery.own_body (
  delivery_id uuid,
  body text
) as
 SELECT d.id AS delivery_id,
    b.body
   FROM ((delivery.delivery d
     JOIN delivery.endpoint e ON ((e.no = d.endpoint)))
     JOIN delivery.body b ON ((b.id = d.body_id)))
  WHERE tenancy.is_own(e.workspace);;

unlogged table delivery.pace (
  endpoint integer not null,
  per_second double precision not null,
  free_at timestamp with time zone not null
) with (fillfactor=50);

table delivery.queue (
  endpoint integer not null,
  sequence bigint not null,
  key text not null,
  delivery_id uuid not null,
  due_at timestamp with time zone
);

table delivery.retry (
  delivery_id uuid not null,
  endpoint integer not null,
  due_at timestamp with time zone not null,
  coalesce_key text,
  sequence bigint not null
) with (fillfactor=70);

table delivery.sequence (
  endpoint integer not null,
  last bigint not null default 0,
  requeued bigint not null default 0
) with (fillfactor=20);

unlogged table delivery.worker (
  id uuid not null,
  name text not null,
  started_at timestamp with time zone not null default now(),
  beat_at timestamp with time zone not null default now()
) with (fillfactor=20);

table log.event (
  "position" bigint not null,
  revision integer not null,
  recorded_at timestamp with time zone not null,
  event_id uuid not null,
  stream text not null,
  type text not null,
  workspace text not null,
  data json not null,
  metadata json not null
);

view log.head (
  "position" bigint
) as
 SELECT COALESCE(max("position"), (0)::bigint) AS "position"
   FROM log.event;;

table log.snapshot (
  stream text not null,
  workspace text not null,
  shape text not null,
  revision integer not null,
  "position" bigint not null,
  state text not null,
  taken_at timestamp with time zone not null default now()
) with (fillfactor=50);

table projector.audit_head (
  version integer not null,
  workspace text not null,
  entries bigint not null,
  "position" bigint not null,
  hash bytea not null,
  latest timestamp with time zone not null,
  lag bigint not null
) with (fillfactor=50);

table projector.checkpoint (
  name text not null,
  version integer not null,
  shape text not null,
  status text not null,
  "position" bigint not null default 0,
  epoch bigint not null default 0,
  created_at timestamp with time zone not null default now(),
  retired_at timestamp with time zone
) with (fillfactor=50);

table projector.leader (
  name text not null,
  epoch bigint not null default 0,
  pid integer,
  process text,
  seen_at timestamp with time zone not null default now()
) with (fillfactor=50);

table projector.timer (
  key text not null,
  target text not null,
  kind text not null,
  workspace text not null,
  due_at timestamp with time zone not null,
  payload text not null,
  cause uuid not null,
  "position" bigint not null,
  correlation_id text not null,
  traceparent text,
  failures integer not null default 0,
  failure text,
  holds boolean not null default false
);

table public.schema_migration (
  name text not null,
  applied_at timestamp with time zone not null default now()
);

table secret.former_key (
  id text not null,
  closed_by text not null,
  box text not null,
  kept_at timestamp with time zone not null default now()
);

table secret.master_key (
  one boolean not null default true,
  proof text not null
);

table subject.key (
  workspace text not null,
  subject text not null,
  generation integer not null,
  box text,
  created_at timestamp with time zone not null default now(),
  erased_at timestamp with time zone
);

constraint on api.idempotency: PRIMARY KEY (workspace, key);

constraint on api.key: CHECK ((kind = ANY (ARRAY['service'::text, 'client'::text])));

constraint on api.key: PRIMARY KEY (workspace, id);

constraint on api.key: UNIQUE (hash);

constraint on api.rate: PRIMARY KEY (workspace, key_id);

constraint on api.setting: PRIMARY KEY (name);

constraint on bus.dead_letter: PRIMARY KEY (group_name, "position");

constraint on bus.group_member: PRIMARY KEY (group_name, member);

constraint on bus.group_offset: PRIMARY KEY (group_name, partition);

constraint on bus.head: CHECK (one);

constraint on bus.head: PRIMARY KEY (one);

constraint on bus.incarnation: CHECK (one);

constraint on bus.incarnation: PRIMARY KEY (one);

constraint on bus.message: PRIMARY KEY ("position", created_at);

constraint on delivery.awake: CHECK (one);

constraint on delivery.awake: PRIMARY KEY (one);

constraint on delivery.body: PRIMARY KEY (id);

constraint on delivery.delivery: CHECK ((state = ANY (ARRAY['queued'::text, 'retrying'::text, 'parked'::text, 'discarded'::text])));

constraint on delivery.delivery: PRIMARY KEY (id);

constraint on delivery.endpoint: CHECK ((phase = ANY (ARRAY['catching_up'::text, 'live'::text, 'deleted'::text])));

constraint on delivery.endpoint: PRIMARY KEY (no);

constraint on delivery.endpoint: UNIQUE (workspace, id);

constraint on delivery.endpoint_version: CHECK (one);

constraint on delivery.endpoint_version: PRIMARY KEY (one);

constraint on delivery.fact: CHECK ((kind = ANY (ARRAY['parked'::text, 'gone'::text, 'failing'::text])));

constraint on delivery.fact: PRIMARY KEY (id);

constraint on delivery.hold: PRIMARY KEY (name);

constraint on delivery.inbox: PRIMARY KEY ("position", index, created_at);

constraint on delivery.job: CHECK ((status = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text])));

constraint on delivery.job: PRIMARY KEY (workspace, id);

constraint on delivery.lease: PRIMARY KEY (batch);

constraint on delivery.newest: PRIMARY KEY (endpoint, coalesce_key);

constraint on delivery.pace: PRIMARY KEY (endpoint);

constraint on delivery.queue: PRIMARY KEY (endpoint, sequence);

constraint on delivery.retry: PRIMARY KEY (delivery_id);

constraint on delivery.sequence: FOREIGN KEY (endpoint) REFERENCES delivery.endpoint(no);

constraint on delivery.sequence: PRIMARY KEY (endpoint);

constraint on delivery.worker: PRIMARY KEY (id);

constraint on log.event: PRIMARY KEY ("position");

constraint on log.event: UNIQUE (event_id);

constraint on log.event: UNIQUE (stream, revision);

constraint on log.snapshot: PRIMARY KEY (stream);

constraint on projector.audit_head: PRIMARY KEY (version, workspace);

constraint on projector.checkpoint: CHECK ((status = ANY (ARRAY['building'::text, 'current'::text, 'retired'::text])));

constraint on projector.checkpoint: PRIMARY KEY (name, version);

constraint on projector.leader: PRIMARY KEY (name);

constraint on projector.timer: PRIMARY KEY (key);

constraint on schema_migration: PRIMARY KEY (name);

constraint on secret.former_key: PRIMARY KEY (id, closed_by);

constraint on secret.master_key: CHECK (one);

constraint on secret.master_key: PRIMARY KEY (one);

constraint on subject.key: CHECK (((box IS NULL) = (erased_at IS NOT NULL)));

constraint on subject.key: PRIMARY KEY (workspace, subject, generation);

policy own_workspace on api.idempotency: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on api.key: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on api.rate: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on delivery.delivery: (EXISTS ( SELECT
   FROM delivery.endpoint e
  WHERE (e.no = delivery.endpoint)));

policy own_workspace on delivery.endpoint: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on delivery.fact: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on delivery.job: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on delivery.queue: (EXISTS ( SELECT
   FROM delivery.endpoint e
  WHERE (e.no = queue.endpoint)));

policy own_workspace on delivery.retry: (EXISTS ( SELECT
   FROM delivery.endpoint e
  WHERE (e.no = retry.endpoint)));

policy own_workspace on delivery.sequence: (EXISTS ( SELECT
   FROM delivery.endpoint e
  WHERE (e.no = sequence.endpoint)));

policy own_workspace on log.event: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on log.snapshot: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on projector.audit_head: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on projector.timer: (workspace = current_setting('postledger.workspace'::text, true));

policy own_workspace on subject.key: (workspace = current_setting('postledger.workspace'::text, true));

CREATE INDEX attempt_of_delivery ON ONLY delivery.attempt USING btree (delivery_id, number);

CREATE INDEX delivery_feed ON ONLY delivery.delivery USING btree (endpoint, sequence);

CREATE INDEX delivery_newest ON ONLY delivery.delivery USING btree (endpoint, id, type);

CREATE INDEX delivery_part ON ONLY delivery.delivery USING btree (message_id) WHERE ((message_id <> event_id) AND (message_id <> id));

CREATE INDEX delivery_state ON ONLY delivery.delivery USING btree (endpoint, state, id, type) WHERE (state IS NOT NULL);

CREATE INDEX endpoint_catching_up ON delivery.endpoint USING btree (no) WHERE (phase = 'catching_up'::text);

CREATE INDEX endpoint_version_key ON delivery.endpoint USING btree (version);

CREATE INDEX event_stranger ON log.event USING btree (split_part(substr(stream, (strpos(stream, '-'::text) + 1)), ':'::text, 1), "position") WHERE (split_part(substr(stream, (strpos(stream, '-'::text) + 1)), ':'::text, 1) <> workspace);

CREATE INDEX event_workspace ON log.event USING btree (workspace, "position");

CREATE INDEX fact_due ON delivery.fact USING btree (due_at);

CREATE INDEX idempotency_age ON api.idempotency USING btree (at);

CREATE INDEX job_running ON delivery.job USING btree (created_at) WHERE (status = 'running'::text);

CREATE INDEX key_newest ON api.key USING btree (workspace, created_at DESC, id DESC) WHERE (revoked_at IS NULL);

CREATE INDEX lease_worker ON delivery.lease USING btree (worker);

CREATE INDEX queue_delivery ON delivery.queue USING btree (delivery_id);

CREATE INDEX queue_key ON delivery.queue USING btree (endpoint, key, sequence);

CREATE INDEX retry_coalesce ON delivery.retry USING btree (endpoint, coalesce_key, sequence) WHERE (coalesce_key IS NOT NULL);

CREATE INDEX retry_due ON delivery.retry USING btree (endpoint, due_at);

CREATE INDEX retry_oldest ON delivery.retry USING btree (endpoint, sequence);

CREATE INDEX timer_due ON projector.timer USING btree (due_at, "position");

CREATE INDEX timer_holding ON projector.timer USING btree (workspace, target, "position") WHERE holds;

CREATE INDEX timer_of_workspace ON projector.timer USING btree (workspace, due_at, "position");

CREATE INDEX timer_turn ON projector.timer USING btree (date_bin('00:01:00'::interval, due_at, '2000-01-01 00:00:00+00'::timestamp with time zone), workspace, due_at);

CREATE UNIQUE INDEX audit_head_pkey ON projector.audit_head USING btree (version, workspace);

CREATE UNIQUE INDEX awake_pkey ON delivery.awake USING btree (one);

CREATE UNIQUE INDEX body_pkey ON ONLY delivery.body USING btree (id);

CREATE UNIQUE INDEX checkpoint_current ON projector.checkpoint USING btree (name) WHERE (status = 'current'::text);

CREATE UNIQUE INDEX checkpoint_pkey ON projector.checkpoint USING btree (name, version);

CREATE UNIQUE INDEX dead_letter_pkey ON bus.dead_letter USING btree (group_name, "position");

CREATE UNIQUE INDEX delivery_pkey ON ONLY delivery.delivery USING btree (id);

CREATE UNIQUE INDEX endpoint_pkey ON delivery.endpoint USING btree (no);

CREATE UNIQUE INDEX endpoint_version_pkey ON delivery.endpoint_version USING btree (one);

CREATE UNIQUE INDEX endpoint_workspace_id_key ON delivery.endpoint USING btree (workspace, id);

CREATE UNIQUE INDEX event_event_id_key ON log.event USING btree (event_id);

CREATE UNIQUE INDEX event_pkey ON log.event USING btree ("position");

CREATE UNIQUE INDEX event_stream_revision_key ON log.event USING btree (stream, revision);

CREATE UNIQUE INDEX fact_pkey ON delivery.fact USING btree (id);

CREATE UNIQUE INDEX former_key_pkey ON secret.former_key USING btree (id, closed_by);

CREATE UNIQUE INDEX group_member_pkey ON bus.group_member USING btree (group_name, member);

CREATE UNIQUE INDEX group_offset_pkey ON bus.group_offset USING btree (group_name, partition);

CREATE UNIQUE INDEX head_pkey ON bus.head USING btree (one);

CREATE UNIQUE INDEX hold_pkey ON delivery.hold USING btree (name);

CREATE UNIQUE INDEX idempotency_pkey ON api.idempotency USING btree (workspace, key);

CREATE UNIQUE INDEX inbox_pkey ON ONLY delivery.inbox USING btree ("position", index, created_at);

CREATE UNIQUE INDEX incarnation_pkey ON bus.incarnation USING btree (one);

CREATE UNIQUE INDEX job_pkey ON delivery.job USING btree (workspace, id);

CREATE UNIQUE INDEX key_hash_key ON api.key USING btree (hash);

CREATE UNIQUE INDEX key_live ON subject.key USING btree (workspace, subject) WHERE (box IS NOT NULL);

CREATE UNIQUE INDEX key_pkey ON api.key USING btree (workspace, id);

CREATE UNIQUE INDEX key_pkey ON subject.key USING btree (workspace, subject, generation);

CREATE UNIQUE INDEX leader_pkey ON projector.leader USING btree (name);

CREATE UNIQUE INDEX lease_pkey ON delivery.lease USING btree (batch);

CREATE UNIQUE INDEX master_key_pkey ON secret.master_key USING btree (one);

CREATE UNIQUE INDEX message_pkey ON ONLY bus.message USING btree ("position", created_at);

CREATE UNIQUE INDEX newest_pkey ON delivery.newest USING btree (endpoint, coalesce_key);

CREATE UNIQUE INDEX pace_pkey ON delivery.pace USING btree (endpoint);

CREATE UNIQUE INDEX queue_pkey ON delivery.queue USING btree (endpoint, sequence);

CREATE UNIQUE INDEX rate_pkey ON api.rate USING btree (workspace, key_id);

CREATE UNIQUE INDEX retry_pkey ON delivery.retry USING btree (delivery_id);

CREATE UNIQUE INDEX schema_migration_pkey ON public.schema_migration USING btree (name);

CREATE UNIQUE INDEX sequence_pkey ON delivery.sequence USING btree (endpoint);

CREATE UNIQUE INDEX setting_pkey ON api.setting USING btree (name);

CREATE UNIQUE INDEX snapshot_pkey ON log.snapshot USING btree (stream);

CREATE UNIQUE INDEX timer_pkey ON projector.timer USING btree (key);

CREATE UNIQUE INDEX worker_pkey ON delivery.worker USING btree (id);

CREATE OR REPLACE FUNCTION bus.claim(in_group text, in_member uuid, share integer)
 RETURNS TABLE(partition smallint, "position" bigint, epoch bigint)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  delete from bus.group_member where group_name = in_group and lease_until < clock_timestamp() - interval '10 minutes';
  return query
    with free as (
      select o.partition from bus.group_offset o
      where o.group_name = in_group and (o.owner is null or not exists (
        select from bus.group_member m where m.group_name = in_group and m.member = o.owner and m.lease_until > clock_timestamp()))
      order by o.partition
      limit greatest(0, share - (select count(*)::integer from bus.group_offset mine where mine.group_name = in_group and mine.owner = in_member))
      for update skip locked
    )
    update bus.group_offset o set owner = in_member, epoch = o.epoch + 1 from free
    where o.group_name = in_group and o.partition = free.partition
    returning o.partition, o.position, o.epoch;
end $function$;

CREATE OR REPLACE FUNCTION bus.commit_offsets(in_group text, in_member uuid, in_incarnation uuid, partitions smallint[], epochs bigint[], positions bigint[], release boolean)
 RETURNS TABLE(partition smallint)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare
  is_same boolean := exists (select from bus.incarnation where id = in_incarnation);
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
    update bus.group_offset o
    set position = case when is_same then greatest(o.position, c.position) else o.position end, owner = case when release then null else o.owner end
    from unnest(partitions, epochs, positions) as c(partition, epoch, position)
    where o.group_name = in_group and o.partition = c.partition and o.epoch = c.epoch and o.owner = in_member and (is_same or release)
    returning o.partition;
  if release then
    perform pg_notify('bus_rebalance', in_group);
  end if;
end $function$;

CREATE OR REPLACE FUNCTION bus.extend(from_time timestamp with time zone, days integer)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  first timestamptz := date_trunc('day', from_time, 'UTC');
  starts timestamptz;
  child text;
begin
  for n in 0 .. days loop
    starts := first + n * interval '24 hours';
    child := 'message_' || to_char(starts at time zone 'UTC', 'YYYYMMDD');
    if to_regclass('bus.' || child) is null then
      execute format('create table bus.%I (like bus.message including all)', child);
      execute format('alter table bus.message attach partition bus.%I for values from (%L) to (%L)', child, starts, starts + interval '24 hours');
    end if;
  end loop;
  update bus.head set partitioned_until = greatest(partitioned_until, first + (days + 1) * interval '24 hours');
end $function$;

CREATE OR REPLACE FUNCTION bus.heartbeat(in_group text, in_member uuid, lease interval)
 RETURNS TABLE(head bigint, incarnation uuid, members integer, rank integer, free integer, partition smallint, "position" bigint, epoch bigint)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into bus.incarnation default values on conflict do nothing;
  insert into bus.group_member (group_name, member, lease_until) values (in_group, in_member, clock_timestamp() + lease)
    on conflict (group_name, member) do update set lease_until = excluded.lease_until;
  update bus.group_member m set lease_until = clock_timestamp() + lease
    where m.group_name = in_group and m.member in (
      select o.member from bus.group_member o
      where o.group_name = in_group and o.lease_until > clock_timestamp() + greatest(lease, interval '1 minute') for update skip locked);
  return query
    with living as (
      select m.member, row_number() over (order by m.joined_at, m.member) - 1 as place
      from bus.group_member m where m.group_name = in_group and m.lease_until > clock_timestamp()
    )
    select h.position, i.id, (select count(*)::integer from living), (select l.place::integer from living l where l.member = in_member),
      (select count(*)::integer from bus.group_offset f where f.group_name = in_group and (f.owner is null or f.owner not in (select l.member from living l))),
      o.partition, o.position, o.epoch
    from bus.head h cross join bus.incarnation i
    left join bus.group_offset o on o.group_name = in_group and o.owner = in_member;
end $function$;

CREATE OR REPLACE FUNCTION bus.maintain(keep_since timestamp with time zone, keep_unread_since timestamp with time zone)
 RETURNS SETOF text
 LANGUAGE plpgsql
AS $function$
declare
  child record;
  newest bigint;
begin
  perform from bus.head for update;
  perform bus.extend(clock_timestamp(), 2);
  for child in
    select c.relname as name, to_timestamp(substr(c.relname, 9) || '+00', 'YYYYMMDDTZH') + interval '24 hours' as ended
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'bus.message'::regclass
  loop
    continue when child.ended > keep_since;
    execute format('select max(position) from bus.%I', child.name) into newest;
    if child.ended <= keep_unread_since or newest is null or not exists (select from bus.group_offset where position < newest) then
      execute format('drop table bus.%I', child.name);
      update bus.head set dropped = greatest(dropped, newest);
      return next child.name;
    end if;
  end loop;
end $function$;

CREATE OR REPLACE FUNCTION bus.publish(partitions smallint[], topics text, keys text, ids text, types text, all_headers text, all_values text, separator text)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
declare
  last bigint;
  made timestamptz;
  until timestamptz;
  count integer := cardinality(partitions);
begin
  update bus.head set position = position + count, at = greatest(at, clock_timestamp())
    returning position, at, partitioned_until into last, made, until;
  if made >= until then
    perform bus.extend(made, 2);
  end if;
  insert into bus.message (position, created_at, partition, topic, key, id, type, headers, value)
    select last - count + m.n, made, m.partition, m.topic, m.key, m.id, m.type, m.headers, m.value
    from unnest(partitions, string_to_array(topics, separator), string_to_array(keys, separator), string_to_array(ids, separator),
                string_to_array(types, separator), string_to_array(all_headers, separator), string_to_array(all_values, separator))
      with ordinality as m(partition, topic, key, id, type, headers, value, n);
  perform pg_notify('bus_published', last::text);
  return last || ' ' || coalesce((select id::text from bus.incarnation), '');
end $function$;

CREATE OR REPLACE FUNCTION delivery.backfill(p_worker uuid, p_batch uuid, p_now timestamp with time zone, p_endpoint integer, d_position bigint[], d_id uuid[], d_event uuid[], d_message_id uuid[], d_body uuid[], b_body text[], d_type text[], d_key text[], d_place smallint[], d_coalesce text[])
 RETURNS TABLE(ordinal integer, sequence bigint)
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION delivery.claim(p_worker uuid, p_batch uuid, p_now timestamp with time zone, endpoints integer[], rooms integer[])
 RETURNS TABLE(id uuid, endpoint integer, sequence bigint, message_id uuid, type text, key text, tries smallint, replay boolean, coalesce_key text, body text, number bigint, ladder integer)
 LANGUAGE sql
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION delivery.coalesce_key(config json, type text, key text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when (config ->> 'latestOnly')::boolean and type ~ '([._]progressed|[._]updated|\.rescheduled|\.compliant|\.violated)$' then key || E'\n' || type end
$function$;

CREATE OR REPLACE FUNCTION delivery.current_version(p_version bigint, p_workspaces text[])
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
declare
  present bigint;
begin
  perform pg_advisory_xact_lock_shared(7305050);
  select v.version into present from delivery.endpoint_version v;
  if present < p_version
    or (present > p_version and exists (select from delivery.endpoint e where e.version > p_version and e.workspace = any (p_workspaces))) then
    return null;
  end if;
  return present;
end $function$;

CREATE OR REPLACE FUNCTION delivery.discard(p_endpoint integer, p_id uuid, p_now timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
begin
  update delivery.delivery d set state = 'discarded', reason = 'discarded', changed_at = p_now
  where d.id = p_id and d.endpoint = p_endpoint and delivery.status_of(d.id, d.state) in ('pending', 'retrying', 'parked');
  if not found then
    return false;
  end if;
  delete from delivery.retry r where r.delivery_id = p_id;
  delete from delivery.queue q where q.delivery_id = p_id;
  return true;
end $function$;

CREATE OR REPLACE FUNCTION delivery.drop_day(p_day date)
 RETURNS integer
 LANGUAGE plpgsql
 SET lock_timeout TO '500ms'
AS $function$
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
    execute format($q$insert into delivery.delivery select * from delivery.%I
      where state in ('queued', 'retrying', 'parked') or id in (select unnest(l.deliveries) from delivery.lease l)$q$, 'delivery' || suffix);
  end if;
  if to_regclass('delivery.attempt' || suffix) is not null then
    execute format($q$insert into delivery.attempt select a.* from delivery.%I a join delivery.delivery_default d on d.id = a.delivery_id$q$, 'attempt' || suffix);
  end if;
  if to_regclass('delivery.body' || suffix) is not null then
    execute format($q$insert into delivery.body select b.* from delivery.%I b where b.id in (select d.body_id from delivery.delivery_default d)$q$, 'body' || suffix);
  end if;
  foreach parent in array array['delivery', 'attempt', 'body', 'inbox'] loop
    execute format('drop table if exists delivery.%I', parent || suffix);
  end loop;
  return dropped;
end $function$;

CREATE OR REPLACE FUNCTION delivery.id_at(moment timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$function$;

CREATE OR REPLACE FUNCTION delivery.intake(p_version bigint, p_worker uuid, p_batch uuid, p_now timestamp with time zone, m_position bigint[], m_index smallint[], m_created timestamp with time zone[], m_event uuid[], b_id uuid[], b_body text[], e_endpoint integer[], e_count integer[], t_type text[], d_id uuid[], d_message integer[], d_body integer[], d_endpoint integer[], d_nth integer[], d_type integer[], d_key text[], d_message_id uuid[], d_place smallint[], d_coalesce text[], OUT answer text, OUT bases bigint[])
 RETURNS record
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION delivery.make_day(p_parent text, p_day date)
 RETURNS void
 LANGUAGE plpgsql
 SET lock_timeout TO '500ms'
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION delivery.missing_days(first_day date, days integer)
 RETURNS TABLE(parent text, day date)
 LANGUAGE sql
 STABLE
AS $function$
  select p, first_day + n
  from generate_series(0, days - 1) n cross join unnest(array['inbox', 'body', 'delivery', 'attempt']) p
  where to_regclass('delivery.' || p || to_char(first_day + n, '_YYYYMMDD')) is null
  order by 2, 1
$function$;

CREATE OR REPLACE FUNCTION delivery.next_due()
 RETURNS TABLE(endpoint integer, due_at timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET enable_seqscan TO 'off'
AS $function$
  with recursive first as (
    (select r.endpoint, r.due_at from delivery.retry r order by r.endpoint, r.due_at limit 1)
    union all
    select n.endpoint, n.due_at from first f cross join lateral (
      select r.endpoint, r.due_at from delivery.retry r where r.endpoint > f.endpoint order by r.endpoint, r.due_at limit 1
    ) n
  )
  select * from first
$function$;

CREATE OR REPLACE FUNCTION delivery.own_content(in_id uuid)
 RETURNS TABLE(body text, attempts json)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  found_body uuid;
begin
  select d.body_id into found_body from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint
    where d.id = in_id and tenancy.is_own(e.workspace);
  if found_body is not null then
    return query select (select b.body from delivery.body b where b.id = found_body),
      (select json_agg(a order by a.at, a.number) from (
        select t.number, t.at, t.duration_ms, t.status_code, t.stage, t.error,
          case when row_number() over (order by t.at desc, t.number desc) <= 100 then t.response end as response
        from delivery.attempt t where t.delivery_id = in_id) a);
  end if;
end $function$;

CREATE OR REPLACE FUNCTION delivery.purge(p_endpoint integer, p_reason text, p_now timestamp with time zone, p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION delivery.queued_endpoints()
 RETURNS TABLE(endpoint integer)
 LANGUAGE sql
 STABLE
AS $function$
  with recursive first as (
    (select q.endpoint from delivery.queue q order by q.endpoint limit 1)
    union all
    select n.endpoint from first f cross join lateral (
      select q.endpoint from delivery.queue q where q.endpoint > f.endpoint order by q.endpoint limit 1
    ) n
  )
  select * from first
$function$;

CREATE OR REPLACE FUNCTION delivery.record(p_worker uuid, p_now timestamp with time zone, a_delivery uuid[], a_number smallint[], a_at timestamp with time zone[], a_ms integer[], a_ok boolean[], a_status smallint[], a_stage text[], a_error text[], a_response text[], x_delivery uuid[], x_batch uuid[], x_lane text[], x_endpoint integer[], x_sequence bigint[], x_state text[], x_reason text[], x_tries smallint[], x_due timestamp with time zone[], x_coalesce text[], x_replayed timestamp with time zone[], done_batches uuid[], a_erased boolean[] DEFAULT NULL::boolean[], x_ladder integer[] DEFAULT NULL::integer[])
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
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
      where x.batch in (select mine.batch from mine) or x.lane in (select lanes.name from lanes) and (
        x.state = 'delivered' or exists (select from delivery.queue q where q.endpoint = x.endpoint and q.sequence = x.sequence)) and not exists (
        select from delivery.delivery d where d.id = x.id and d.state = 'queued' and d.replay and d.changed_at is distinct from x.replayed_at)
    ), changed as (
      update delivery.delivery d
      set state = nullif(g.state, 'delivered'), reason = g.reason, tries = g.tries, changed_at = p_now
      from given g
      where d.id = g.id and d.ladder = coalesce(g.ladder, d.ladder) and (
        d.state is null or d.state in ('queued', 'retrying') or g.state = 'delivered' and (d.state = 'parked' or d.reason in ('disabled', 'gone', 'deleted')))
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
    delete from delivery.lease l
    where l.batch = any (done_batches) and l.worker = p_worker and exists (select from delivery.worker w where w.id = p_worker);
  end if;
  return coalesce(decided, '{}');
end $function$;

CREATE OR REPLACE FUNCTION delivery.release(p_worker uuid, p_now timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  given integer;
begin
  given := delivery.release_leases(p_worker, null, p_now);
  delete from delivery.hold h where h.worker = p_worker;
  delete from delivery.worker w where w.id = p_worker;
  return given;
end $function$;

CREATE OR REPLACE FUNCTION delivery.release_leases(p_worker uuid, p_batches uuid[], p_now timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
declare
  given integer;
begin
  with own as materialized (
    select l.batch, age(l.xmin) as age from delivery.lease l where l.worker = p_worker and (p_batches is null or l.batch = any (p_batches))
  ), others as materialized (
    select unnest(l.deliveries) as id, age(l.xmin) as age from delivery.lease l where l.worker <> p_worker or l.batch <> all (p_batches)
  ), released as (
    delete from delivery.lease l using own where l.batch = own.batch and l.worker = p_worker returning l.deliveries, own.age
  ), held as (
    select h.id from (select unnest(r.deliveries) as id, r.age from released r) h
    where not exists (select from others o where o.id = h.id and o.age < h.age)
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
  return given;
end $function$;

CREATE OR REPLACE FUNCTION delivery.reopened(p_ids uuid[], p_endpoints integer[], p_as_of bigint[])
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
begin
  perform 1 from delivery.endpoint e where e.no = any (p_endpoints) order by e.no for share;
  return (
    select coalesce(array_agg(d.id), '{}')
    from unnest(p_ids, p_endpoints, p_as_of) as g (id, endpoint, as_of)
    join delivery.endpoint e on e.no = g.endpoint
    join delivery.delivery d on d.id = g.id
    where e.enabled and e.phase <> 'deleted' and e.enabled_after > g.as_of and d.position > e.enabled_after
  );
end $function$;

CREATE OR REPLACE FUNCTION delivery.replay(p_endpoint integer, p_ids uuid[], p_now timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION delivery.status_of(p_id uuid, p_state text)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when p_state = 'queued' then 'pending'
    when p_state is not null then p_state
    when exists (select from delivery.attempt a where a.delivery_id = p_id and a.ok) then 'delivered'
    else 'pending'
  end
$function$;

CREATE OR REPLACE FUNCTION delivery.supersede(p_delivery uuid[], p_endpoint integer[], p_coalesce text[], p_sequence bigint[], p_now timestamp with time zone)
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION delivery.take_turns(p_endpoint integer[], p_per_second double precision[], p_count integer[])
 RETURNS double precision[]
 LANGUAGE sql
AS $function$
  with asked as materialized (
    select a.*, make_interval(secs => a.count / a.per_second) as span
    from unnest(p_endpoint, p_per_second, p_count) as a (endpoint, per_second, count)
  ), taken as (
    insert into delivery.pace as p (endpoint, per_second, free_at)
    select a.endpoint, a.per_second, now() + a.span from asked a order by a.endpoint
    on conflict (endpoint) do update set per_second = excluded.per_second, free_at = excluded.free_at + case
      when p.per_second = excluded.per_second then least(greatest(p.free_at - now(), interval '0'), 64 * (excluded.free_at - now()))
      else interval '0'
    end
    returning p.endpoint, p.free_at
  )
  select array_agg(extract(epoch from t.free_at - a.span - clock_timestamp())::double precision * 1000 order by array_position(p_endpoint, t.endpoint))
  from taken t join asked a on a.endpoint = t.endpoint
$function$;

CREATE OR REPLACE FUNCTION delivery.version_under_lock()
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
begin
  perform pg_advisory_xact_lock_shared(7305050);
  return (select version from delivery.endpoint_version);
end $function$;

CREATE OR REPLACE FUNCTION log.append(streams text, expected integer[], append_no integer[], event_stream text, event_revision integer[], event_id uuid[], type text, workspace text, data text, metadata text)
 RETURNS TABLE(outcome text, revision integer, "position" bigint)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare
  actual int[];
  head bigint;
begin
  -- Writers go one by one until their commit is visible. Each statement below sees what the one before us committed.
  perform pg_advisory_xact_lock(7305010);
  select coalesce(max(e.position), 0) into head from log.event e;
  select array_agg(coalesce(last.revision, -1) order by asked.no) into actual
    from unnest((select string_to_array(append.streams, E'\n'))) with ordinality asked (stream, no)
    left join lateral (select e.revision from log.event e where e.stream = asked.stream order by e.revision desc limit 1) last on true;

  insert into log.event (position, revision, recorded_at, event_id, stream, type, workspace, data, metadata)
    select head + row_number() over (order by new.no), new.revision, clock_timestamp(), new.id, new.stream, new.type, new.workspace, new.data::json, new.metadata::json
      from unnest(append.append_no, string_to_array(append.event_stream, E'\n'), append.event_revision, append.event_id,
                  string_to_array(append.type, E'\n'), string_to_array(append.workspace, E'\n'),
                  string_to_array(append.data, E'\n'), string_to_array(append.metadata, E'\n'))
        with ordinality new (append_no, stream, revision, id, type, workspace, data, metadata, no)
      where actual[new.append_no] = append.expected[new.append_no];

  if actual = append.expected then
    return query
      select 'appended', max(new.revision), head + max(new.no)
        from unnest(append.append_no, append.event_revision) with ordinality new (append_no, revision, no)
        group by new.append_no order by new.append_no;
    return;
  end if;

  return query
    with new as (
      select *, count(*) filter (where actual[append_no] = append.expected[append_no]) over (order by no) as taken
        from unnest(append.append_no, string_to_array(append.event_stream, E'\n'), append.event_revision, append.event_id) with ordinality as of_batch (append_no, stream, revision, id, no)
    ), asked as (
      select new.append_no, actual[new.append_no] as actual, max(new.revision) as last, max(new.taken) as taken,
             actual[new.append_no] = append.expected[new.append_no] as is_new,
             bool_and(present.event_id is not distinct from new.id) as is_same, max(present.position) as present_at
        from new
        left join log.event present on actual[new.append_no] <> append.expected[new.append_no] and present.stream = new.stream and present.revision = new.revision
        group by new.append_no
    )
    select case when is_new then 'appended' when is_same then 'same' else 'wrong' end,
           case when is_new or is_same then last else asked.actual end,
           case when is_new then head + taken when is_same then present_at else 0 end
      from asked order by append_no;
end $function$;

CREATE OR REPLACE FUNCTION projector.audit_position(in_workspace text, in_at timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
declare
  low bigint;
  high bigint;
  middle record;
begin
  select position into low from read.audit where workspace = in_workspace order by position limit 1;
  select position, latest into middle from read.audit where workspace = in_workspace order by position desc limit 1;
  if middle is null or middle.latest < in_at then
    return null;
  end if;
  high := middle.position;
  while low < high loop
    select position, latest into middle from read.audit
      where workspace = in_workspace and position <= low + (high - low) / 2 order by position desc limit 1;
    if middle.latest < in_at then
      select position into low from read.audit where workspace = in_workspace and position > middle.position order by position limit 1;
    else
      high := middle.position;
    end if;
  end loop;
  return high;
end $function$;

CREATE OR REPLACE FUNCTION projector.position_before(in_workspace text, in_at timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
  if to_regclass('read.audit_head') is null then
    return null;
  end if;
  return projector.audit_position(in_workspace,
    in_at + coalesce((select lag from read.audit_head where workspace = in_workspace), 0) * interval '1 millisecond');
end $function$;

CREATE OR REPLACE FUNCTION tenancy.is_own(in_workspace text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select in_workspace = current_setting('postledger.workspace', true) or current_setting('role') <> 'postledger_reader'
$function$;

CREATE OR REPLACE FUNCTION tenancy.lock_table(in_table regclass, in_condition text DEFAULT 'workspace = current_setting(''postledger.workspace'', true)'::text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  if (select c.relrowsecurity from pg_class c where c.oid = in_table) and exists (select from pg_policy p where p.polrelid = in_table) then
    return;
  end if;
  execute format('alter table %s enable row level security', in_table);
  execute format('create policy own_workspace on %s using (%s)', in_table, in_condition);
end $function$;

CREATE OR REPLACE FUNCTION tenancy.open_reads()
 RETURNS text
 LANGUAGE plpgsql
AS $function$
declare
  reader constant name := 'postledger_reader';
  wanted text;
begin
  -- Every table that knows its workspace, also one that came after this.
  perform tenancy.lock_table(c.oid::regclass) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('log', 'bus', 'projector', 'read', 'delivery', 'api', 'subject') and c.relkind in ('r', 'p') and not c.relispartition
      and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace' and not a.attisdropped);
  if not exists (select from pg_roles where rolname = reader) then
    begin
      execute format('create role %I nologin', reader);
    exception
      -- Another database of this server came first.
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        return format('%I may not create the role %I', current_user, reader);
    end;
  end if;
  if not pg_has_role(current_user, reader, 'SET') then
    begin
      execute format('grant %I to %I with set true', reader, current_user);
    exception when insufficient_privilege then
      return format('%I may not take the role %I', current_user, reader);
    end;
  end if;
  if (select rolsuper or rolbypassrls from pg_roles where rolname = reader) then
    return format('the role %I may see every row', reader);
  end if;
  foreach wanted in array array['read', 'projector', 'delivery', 'api', 'tenancy'] loop
    if not has_schema_privilege(reader, wanted, 'usage') then
      execute format('grant usage on schema %I to %I', wanted, reader);
    end if;
  end loop;
  -- What the projector will make: it makes views anew at every rebuild.
  if not exists (select from pg_default_acl d, aclexplode(d.defaclacl) a
                 where d.defaclrole = current_user::regrole and d.defaclnamespace = 'read'::regnamespace and d.defaclobjtype = 'r'
                   and a.grantee = reader::regrole and a.privilege_type = 'SELECT') then
    execute format('alter default privileges in schema read grant select on tables to %I', reader);
  end if;
  for wanted in
    select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v') and not c.relispartition
      and (n.nspname = 'read' or format('%I.%I', n.nspname, c.relname) in (
        'projector.checkpoint', 'projector.audit_head', 'api.key', 'api.idempotency',
        'delivery.endpoint', 'delivery.delivery', 'delivery.own_body', 'delivery.retry', 'delivery.queue',
        'delivery.lease', 'delivery.job'))
      and not has_table_privilege(reader, c.oid, 'select')
  loop
    execute format('grant select on %s to %I', wanted, reader);
  end loop;
  if not has_function_privilege(reader, 'delivery.own_content(uuid)', 'execute') then
    execute format('grant execute on function delivery.own_content(uuid) to %I', reader);
  end if;
  if not has_column_privilege(reader, 'delivery.attempt', 'ok', 'select') then
    execute format('grant select (delivery_id, ok) on delivery.attempt to %I', reader);
  end if;
  return null;
end $function$;
