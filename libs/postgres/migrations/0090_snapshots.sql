-- The states of long streams, so that a process which does not know one need not fold it from its first event. Each row may be thrown
-- away at any time: it only saves work (docs/decisions/0013).
create table log.snapshot (
  stream    text primary key,
  workspace text not null,
  -- What the decider's state looks like and how it is folded; another build's may differ.
  shape     text not null,
  revision  int not null,
  -- Of the event at `revision`: proves that it is of this log.
  position  bigint not null,
  -- Sealed with the master key: a state may hold what the events hold sealed.
  state     text not null,
  taken_at  timestamptz not null default now()
) with (fillfactor = 50);
