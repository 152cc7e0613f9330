-- The second lock on what belongs to a workspace (docs/decisions/0012). Reads of the api run as `postledger_reader`, for
-- whom a row exists only while `postledger.workspace` names its workspace; writers run as the owner, whom no policy binds.
create schema tenancy;

-- Locks a table to the workspace of the reader. Does nothing to one that is locked, so that it costs no lock to say it again.
create function tenancy.lock_table(in_table regclass, in_condition text default 'workspace = current_setting(''postledger.workspace'', true)')
returns void language plpgsql as $$
begin
  if (select c.relrowsecurity from pg_class c where c.oid = in_table) and exists (select from pg_policy p where p.polrelid = in_table) then
    return;
  end if;
  execute format('alter table %s enable row level security', in_table);
  execute format('create policy own_workspace on %s using (%s)', in_table, in_condition);
end $$;

-- Locks what is to be locked and makes the role that reads, as far as the database's user may, and lets it see what it must. Null when it stands, else why not.
create function tenancy.open_reads() returns text language plpgsql as $$
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

-- Deliveries carry the number of their endpoint, whose own policy then decides.
select tenancy.lock_table(locked::regclass, 'exists (select from delivery.endpoint e where e.no = endpoint)')
  from unnest(array['delivery.delivery', 'delivery.retry', 'delivery.queue', 'delivery.sequence']) locked;

-- Whether a condition that a view holds itself binds whoever asks: it does not bind the owner, as a policy would not.
create function tenancy.is_own(in_workspace text) returns boolean language sql stable as $$
  select in_workspace = current_setting('postledger.workspace', true) or current_setting('role') <> 'postledger_reader'
$$;

-- Attempts and bodies do not know their workspace, and a policy that asks their delivery would open every day for every row. So the
-- reader sees of an attempt only whether it was one that succeeded, and the rest through these.
create view delivery.own_body as
  select d.id as delivery_id, b.body
  from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint join delivery.body b on b.id = d.body_id
  where tenancy.is_own(e.workspace);
create function delivery.own_content(in_id uuid) returns table (body text, attempts json) language plpgsql stable security definer
set search_path = '' as $$
declare
  found_body uuid;
begin
  select d.body_id into found_body from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint
    where d.id = in_id and tenancy.is_own(e.workspace);
  if found_body is not null then
    return query select (select b.body from delivery.body b where b.id = found_body),
      (select json_agg(a order by a.at, a.number) from delivery.attempt a where a.delivery_id = in_id);
  end if;
end $$;
revoke execute on function delivery.own_content(uuid) from public;

-- Views that the projector made before read as whoever asks.
do $$
declare
  made regclass;
begin
  for made in select c.oid::regclass from pg_class c where c.relnamespace = 'read'::regnamespace and c.relkind = 'v' loop
    execute format('alter view %s set (security_invoker = true)', made);
    -- Filters by the elements of a list go through a view that holds the lock itself: behind a policy no index would serve them.
    if exists (select from pg_attribute a where a.attrelid = made and a.atttypid = 'text[]'::regtype) then
      execute format('create view %s_by_list as select * from (%s) it where tenancy.is_own(workspace)', made, rtrim(pg_get_viewdef(made), ';'));
    end if;
  end loop;
end $$;
