-- An intake compares the endpoints that it knows with those of the workspaces whose messages it takes in, no more: while one workspace registered a
-- thousand endpoints, each of them overtook the intakes of all.

-- The present version of the endpoints, if nothing has changed since p_version for these workspaces, else null. No change comes before the transaction's end.
create function delivery.current_version(p_version bigint, p_workspaces text[]) returns bigint language plpgsql as $$
declare
  present bigint;
begin
  perform pg_advisory_xact_lock_shared(7305050);
  select v.version into present from delivery.endpoint_version v;
  if present < p_version
    or (present > p_version and exists (select from delivery.endpoint e where e.version > p_version and e.workspace = any (p_workspaces))) then
    return null;
  end if;
  return present;
end $$;
