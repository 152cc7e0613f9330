-- What comes after a timer for the same target waits while an engine is away from it: commands to one thing keep their order.
alter table projector.timer add column holds boolean not null default false;
create index timer_holding on projector.timer (workspace, target, position) where holds;
