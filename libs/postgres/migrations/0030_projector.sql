-- What the projector knows: who leads each projection, how far each has come, and what is to be done later.
create schema projector;
create schema read;

-- One row per projection. `seen_at` is the lease beside the session lock: a frozen process keeps its session, not its lease.
create table projector.leader (
  name    text primary key,
  epoch   bigint not null default 0,
  pid     integer,
  process text,
  seen_at timestamptz not null default now()
) with (fillfactor = 50);

-- One row per build of a projection. A batch moves `position` in the transaction that holds its rows, if its epoch is still the newest.
create table projector.checkpoint (
  name       text not null,
  version    integer not null,
  -- What the code builds; another shape is another build.
  shape      text not null,
  status     text not null check (status in ('building', 'current', 'retired')),
  position   bigint not null default 0,
  epoch      bigint not null default 0,
  created_at timestamptz not null default now(),
  retired_at timestamptz,
  primary key (name, version)
) with (fillfactor = 50);
create unique index checkpoint_current on projector.checkpoint (name) where status = 'current';

-- Something to do at a time: a command that a policy owes. The same key again replaces what was there.
create table projector.timer (
  key            text primary key,
  -- Whom it acts on; timers of one target run in order of position.
  target         text not null,
  kind           text not null,
  workspace      text not null,
  due_at         timestamptz not null,
  payload        text not null,
  -- The event that led to it: id (also the causation of what follows), position in the log, correlation.
  cause          uuid not null,
  position       bigint not null,
  correlation_id text not null,
  traceparent    text,
  failures       integer not null default 0,
  failure        text
);
create index timer_due on projector.timer (due_at, position);

-- Newest link of each workspace's audit chain. `latest` is the newest time in it and `lag` how far, in milliseconds, an
-- entry has ever been behind the newest time before it: with both, a range of times is a range of positions.
create table projector.audit_head (
  version   integer not null,
  workspace text not null,
  entries   bigint not null,
  position  bigint not null,
  hash      bytea not null,
  latest    timestamptz not null,
  lag       bigint not null,
  primary key (version, workspace)
) with (fillfactor = 50);

-- The first position of a workspace's audit log at which the newest time so far is `in_at` or later; null when there is none. Both grow
-- together, so halving the range finds it in some twenty steps along the primary key.
create function projector.audit_position(in_workspace text, in_at timestamptz) returns bigint language plpgsql stable as $$
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
end $$;
