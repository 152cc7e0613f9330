-- The audit log is walked along other indexes now (docs/decisions/0014), which its leader makes.
do $$
declare
  former record;
begin
  for former in
    select indexname as name from pg_indexes
    where schemaname = 'read' and indexname ~ '^audit_v[0-9]+_(action|entity_type|entity_id|actor|correlation_id)$'
  loop
    execute format('drop index read.%I', former.name);
  end loop;
end $$;
