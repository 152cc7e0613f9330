-- As before, but what is in a lease keeps its place too: when all is started again only after its day has gone, what a killed process had under way is
-- given out anew after a while, and had been dropped before.
create or replace function delivery.drop_day(p_day date) returns integer language plpgsql set lock_timeout = '500ms' as $$
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
end $$;
