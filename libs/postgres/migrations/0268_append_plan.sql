-- A plan for the streams of one append looked cheaper to PostgreSQL than the one that it keeps, so that it planned anew each time, while
-- others waited for the lock. What a subselect gives it does not know ahead, and the kept plan is as good.
create or replace function log.append(
  streams text, expected int[],
  append_no int[], event_stream text, event_revision int[], event_id uuid[], type text, workspace text, data text, metadata text
) returns table (outcome text, revision int, "position" bigint)
language plpgsql as $$
#variable_conflict use_column
declare
  actual int[];
  head bigint;
begin
  -- Writers go one by one until their commit is visible. Each statement below sees what the one before us committed.
  perform pg_advisory_xact_lock(7305010);
  select coalesce(max(e.position), 0) into head from log.event e;
  select array_agg(coalesce(last.revision, -1) order by asked.no) into actual
    from unnest((select string_to_array(append.streams, E'\n'))) with ordinality asked (stream, no)
    left join lateral (select e.revision from log.event e where e.stream = asked.stream order by e.revision desc limit 1) last on true;

  insert into log.event (position, revision, recorded_at, event_id, stream, type, workspace, data, metadata)
    select head + row_number() over (order by new.no), new.revision, clock_timestamp(), new.id, new.stream, new.type, new.workspace, new.data::json, new.metadata::json
      from unnest(append.append_no, string_to_array(append.event_stream, E'\n'), append.event_revision, append.event_id,
                  string_to_array(append.type, E'\n'), string_to_array(append.workspace, E'\n'),
                  string_to_array(append.data, E'\n'), string_to_array(append.metadata, E'\n'))
        with ordinality new (append_no, stream, revision, id, type, workspace, data, metadata, no)
      where actual[new.append_no] = append.expected[new.append_no];

  if actual = append.expected then
    return query
      select 'appended', max(new.revision), head + max(new.no)
        from unnest(append.append_no, append.event_revision) with ordinality new (append_no, revision, no)
        group by new.append_no order by new.append_no;
    return;
  end if;

  return query
    with new as (
      select *, count(*) filter (where actual[append_no] = append.expected[append_no]) over (order by no) as taken
        from unnest(append.append_no, string_to_array(append.event_stream, E'\n'), append.event_revision, append.event_id) with ordinality as of_batch (append_no, stream, revision, id, no)
    ), asked as (
      select new.append_no, actual[new.append_no] as actual, max(new.revision) as last, max(new.taken) as taken,
             actual[new.append_no] = append.expected[new.append_no] as is_new,
             bool_and(present.event_id is not distinct from new.id) as is_same, max(present.position) as present_at
        from new
        left join log.event present on actual[new.append_no] <> append.expected[new.append_no] and present.stream = new.stream and present.revision = new.revision
        group by new.append_no
    )
    select case when is_new then 'appended' when is_same then 'same' else 'wrong' end,
           case when is_new or is_same then last else asked.actual end,
           case when is_new then head + taken when is_same then present_at else 0 end
      from asked order by append_no;
end $$;
