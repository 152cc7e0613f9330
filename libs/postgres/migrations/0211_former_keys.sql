-- What the master key before closed is in the log for ever: so each former key is kept, closed with the one that came after it. Whoever has
-- the present key opens the chain from there.
create schema secret;

create table secret.former_key (
  id        text not null,
  closed_by text not null,
  box       text not null,
  kept_at   timestamptz not null default now(),
  primary key (id, closed_by)
);
