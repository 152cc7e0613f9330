-- Workspaces take turns when more timers are due than are looked at together. Which have any that are due is read by going from one to the next within
-- each minute: a step for each that has, and none for those that will have some later.
create index timer_turn on projector.timer (date_bin('1 minute', due_at, timestamptz '2000-01-01T00:00:00Z'), workspace, due_at);
create index timer_of_workspace on projector.timer (workspace, due_at, position);
