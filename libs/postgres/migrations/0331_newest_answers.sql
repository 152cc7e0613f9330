-- As before, but of a delivery that was tried thousands of times only the newest hundred attempts come with what the receiver answered: all
-- together they are as much as a process has memory.
create or replace function delivery.own_content(in_id uuid) returns table (body text, attempts json) language plpgsql stable security definer
set search_path = '' as $$
declare
  found_body uuid;
begin
  select d.body_id into found_body from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint
    where d.id = in_id and tenancy.is_own(e.workspace);
  if found_body is not null then
    return query select (select b.body from delivery.body b where b.id = found_body),
      (select json_agg(a order by a.at, a.number) from (
        select t.number, t.at, t.duration_ms, t.status_code, t.stage, t.error,
          case when row_number() over (order by t.at desc, t.number desc) <= 100 then t.response end as response
        from delivery.attempt t where t.delivery_id = in_id) a);
  end if;
end $$;
