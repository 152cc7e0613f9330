-- The endpoint's position as far as it was known when a 410 came or the five days were over: what was enabled or sent elsewhere since then is not
-- what failed.
alter table delivery.fact add column as_of bigint;
