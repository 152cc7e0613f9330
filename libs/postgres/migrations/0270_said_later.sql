-- Two migrations said less at first, and a database of that time holds them as they were: without a lock on the keys of subjects (0080), and
-- without the position after which an endpoint was enabled, which delivery cannot do without (0150). They are said again, as they are now.

-- Locks what is to be locked and makes the role that reads, as far as the database's user may, and lets it see what it must. Null when it stands, else why not.
create or replace function tenancy.open_reads() returns text language plpgsql as $$
declare
  reader constant name := 'postledger_reader';
  wanted text;
begin
  -- Every table that knows its workspace, also one that came after this.
  perform tenancy.lock_table(c.oid::regclass) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('log', 'bus', 'projector', 'read', 'delivery', 'api', 'subject') and c.relkind in ('r', 'p') and not c.relispartition
      and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace' and not a.attisdropped);
  if not exists (select from pg_roles where rolname = reader) then
    begin
      execute format('create role %I nologin', reader);
    exception
      -- Another database of this server came first.
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        return format('%I may not create the role %I', current_user, reader);
    end;
  end if;
  if not pg_has_role(current_user, reader, 'SET') then
    begin
      execute format('grant %I to %I with set true', reader, current_user);
    exception when insufficient_privilege then
      return format('%I may not take the role %I', current_user, reader);
    end;
  end if;
  if (select rolsuper or rolbypassrls from pg_roles where rolname = reader) then
    return format('the role %I may see every row', reader);
  end if;
  foreach wanted in array array['read', 'projector', 'delivery', 'api', 'tenancy'] loop
    if not has_schema_privilege(reader, wanted, 'usage') then
      execute format('grant usage on schema %I to %I', wanted, reader);
    end if;
  end loop;
  -- What the projector will make: it makes views anew at every rebuild.
  if not exists (select from pg_default_acl d, aclexplode(d.defaclacl) a
                 where d.defaclrole = current_user::regrole and d.defaclnamespace = 'read'::regnamespace and d.defaclobjtype = 'r'
                   and a.grantee = reader::regrole and a.privilege_type = 'SELECT') then
    execute format('alter default privileges in schema read grant select on tables to %I', reader);
  end if;
  for wanted in
    select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v') and not c.relispartition
      and (n.nspname = 'read' or format('%I.%I', n.nspname, c.relname) in (
        'projector.checkpoint', 'projector.audit_head', 'api.key', 'api.idempotency',
        'delivery.endpoint', 'delivery.delivery', 'delivery.own_body', 'delivery.retry', 'delivery.queue',
        'delivery.lease', 'delivery.job'))
      and not has_table_privilege(reader, c.oid, 'select')
  loop
    execute format('grant select on %s to %I', wanted, reader);
  end loop;
  if not has_function_privilege(reader, 'delivery.own_content(uuid)', 'execute') then
    execute format('grant execute on function delivery.own_content(uuid) to %I', reader);
  end if;
  if not has_column_privilege(reader, 'delivery.attempt', 'ok', 'select') then
    execute format('grant select (delivery_id, ok) on delivery.attempt to %I', reader);
  end if;
  return null;
end $$;

-- Log position of the newest change that enabled the endpoint: what happened after it is not given up by what was known before it.
alter table delivery.endpoint add column if not exists enabled_after bigint not null default 0;

-- Which of these deliveries, given up by the endpoints as they were at the log positions `p_as_of`, are not: their endpoint has been
-- enabled since, at a position before theirs. A change of an endpoint that is being written is waited for; one that comes later finds
-- what the caller has written.
create or replace function delivery.reopened(p_ids uuid[], p_endpoints integer[], p_as_of bigint[]) returns uuid[] language plpgsql set enable_seqscan = off as $$
begin
  perform 1 from delivery.endpoint e where e.no = any (p_endpoints) order by e.no for share;
  return (
    select coalesce(array_agg(d.id), '{}')
    from unnest(p_ids, p_endpoints, p_as_of) as g (id, endpoint, as_of)
    join delivery.endpoint e on e.no = g.endpoint
    join delivery.delivery d on d.id = g.id
    where e.enabled and e.phase <> 'deleted' and e.enabled_after > g.as_of and d.position > e.enabled_after
  );
end $$;
