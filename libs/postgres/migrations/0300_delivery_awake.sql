-- When somebody who delivers was last there. Time in which nobody was is none in which an endpoint failed.
create table delivery.awake (
  one boolean primary key default true check (one),
  at timestamptz not null
);
insert into delivery.awake (at) select coalesce(max(beat_at), now()) from delivery.worker where beat_at <= now();
