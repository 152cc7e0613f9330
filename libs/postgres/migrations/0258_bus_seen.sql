-- A day that is made by whoever publishes is in the plans of others a moment after its messages are visible, and later where that backend is
-- held up in between: so a reader believes a look only if it shows the last message that it should. Up to `dropped` there is none any more.
alter table bus.head add column dropped bigint not null default 0;
update bus.head h set dropped = coalesce((select min(m.position) - 1 from bus.message m), h.position);

-- As before, but it remembers up to where messages were dropped.
create or replace function bus.maintain(keep_since timestamptz, keep_unread_since timestamptz) returns setof text language plpgsql as $$
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
end $$;
