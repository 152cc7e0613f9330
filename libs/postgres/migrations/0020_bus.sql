-- The bus on PostgreSQL: the outbox is its log, consumer groups are rows.
create schema bus;

-- One row. Whoever publishes holds its lock until commit, so the order of positions is the order of commits, and a
-- reader that sees a head sees every message up to it. Times never run backwards in it, whatever the clock does.
create table bus.head (
  one boolean primary key default true check (one),
  position bigint not null,
  at timestamptz not null,
  partitioned_until timestamptz not null
) with (fillfactor = 10);

-- Emptied by PostgreSQL itself when it recovers from a crash. Commits that did not wait for the disk may then be gone
-- and positions be given again, so a reader that finds another value here forgets what it holds in memory.
create unlogged table bus.incarnation (
  one boolean primary key default true check (one),
  id uuid not null default gen_random_uuid()
);

create table bus.message (
  position bigint not null,
  created_at timestamptz not null,
  partition smallint not null,
  topic text not null,
  key text not null,
  id text not null,
  type text not null,
  -- JSON, as text: it is only ever read whole.
  headers text not null,
  value text not null,
  primary key (position, created_at)
) partition by range (created_at);

-- The place of a consumer group in each partition, and who reads it. A new owner gets a new epoch: the fence of commits.
create table bus.group_offset (
  group_name text not null,
  partition smallint not null,
  position bigint not null,
  owner uuid,
  epoch bigint not null default 0,
  primary key (group_name, partition)
) with (fillfactor = 50);

create table bus.group_member (
  group_name text not null,
  member uuid not null,
  joined_at timestamptz not null default clock_timestamp(),
  lease_until timestamptz not null,
  primary key (group_name, member)
) with (fillfactor = 50);

create table bus.dead_letter (
  group_name text not null,
  position bigint not null,
  partition smallint not null,
  topic text not null,
  key text not null,
  id text not null,
  type text not null,
  headers text not null,
  value text not null,
  reason text not null,
  parked_at timestamptz not null default now(),
  primary key (group_name, position)
);

-- Makes the day partitions from `from_time` until `days` days later. The caller holds the lock of bus.head.
-- Attaching, unlike `create … partition of`, lets readers and writers go on.
create function bus.extend(from_time timestamptz, days integer) returns void language plpgsql as $$
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
end $$;

-- Appends messages in the caller's transaction and says which position the last one got. Lists of text come as one text, since array
-- literals of JSON are full of escapes; a list with another number of elements leaves a column without its value and is refused.
create function bus.publish(partitions smallint[], topics text, keys text, ids text, types text, all_headers text, all_values text)
returns bigint language plpgsql as $$
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
    from unnest(partitions, string_to_array(topics, E'\x1f'), string_to_array(keys, E'\x1f'), string_to_array(ids, E'\x1f'),
                string_to_array(types, E'\x1f'), string_to_array(all_headers, E'\x1f'), string_to_array(all_values, E'\x1f'))
      with ordinality as m(partition, topic, key, id, type, headers, value, n);
  perform pg_notify('bus_published', last::text);
  return last;
end $$;

-- Renews a member's lease; says where the group stands and what this member owns (one row at least, partition null when nothing).
-- Like all that a consumer writes about its own progress, it does not wait for the disk.
create function bus.heartbeat(in_group text, in_member uuid, lease interval)
returns table (head bigint, incarnation uuid, members integer, rank integer, free integer, partition smallint, "position" bigint, epoch bigint)
language plpgsql as $$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into bus.incarnation default values on conflict do nothing;
  insert into bus.group_member (group_name, member, lease_until) values (in_group, in_member, clock_timestamp() + lease)
    on conflict (group_name, member) do update set lease_until = excluded.lease_until;
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
end $$;

-- Takes free partitions, and those of members whose lease has ended, until the member owns `share`.
create function bus.claim(in_group text, in_member uuid, share integer)
returns table (partition smallint, "position" bigint, epoch bigint) language plpgsql as $$
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
end $$;

-- Moves offsets forward, and gives the partitions up when `release`; says which were still the member's. The rest is not touched.
create function bus.commit_offsets(in_group text, in_member uuid, partitions smallint[], epochs bigint[], positions bigint[], release boolean)
returns table (partition smallint) language plpgsql as $$
#variable_conflict use_column
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
    update bus.group_offset o
    set position = greatest(o.position, c.position), owner = case when release then null else o.owner end
    from unnest(partitions, epochs, positions) as c(partition, epoch, position)
    where o.group_name = in_group and o.partition = c.partition and o.epoch = c.epoch and o.owner = in_member
    returning o.partition;
  if release then
    perform pg_notify('bus_rebalance', in_group);
  end if;
end $$;

-- Makes the coming days' partitions and drops those that ended before `keep_since`, unless a group has yet to read in them;
-- those that ended before `keep_unread_since` go in any case. Returns the names of what was dropped.
create function bus.maintain(keep_since timestamptz, keep_unread_since timestamptz) returns setof text language plpgsql as $$
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
      return next child.name;
    end if;
  end loop;
end $$;

insert into bus.head (position, at, partitioned_until) values (0, clock_timestamp(), '-infinity');
select bus.extend(clock_timestamp(), 2);
