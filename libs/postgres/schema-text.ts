import type { Sql } from './database';

const OURS = `n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and n.nspname not like 'pg_temp%'`;

const TABLES = `
  select format('%s %I.%I (%s)%s', case c.relkind when 'v' then 'view' when 'S' then 'sequence' else case c.relpersistence when 'u' then 'unlogged table' else 'table' end end,
           n.nspname, c.relname,
           coalesce((select string_agg(format(E'\\n  %I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' else '' end,
               coalesce(case when a.attidentity <> '' then ' identity' else ' default ' || pg_get_expr(d.adbin, d.adrelid) end, '')), ',' order by a.attnum)
             from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '') || E'\\n',
           case when c.relkind = 'p' then ' partition by ' || pg_get_partkeydef(c.oid) else '' end
           || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '')
           || case when c.relkind = 'v' then E' as\\n' || pg_get_viewdef(c.oid) else '' end) as text
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${OURS} and c.relkind in ('r', 'p', 'v') and not c.relispartition order by n.nspname, c.relname`;

const CONSTRAINTS = `
  select format('constraint on %s: %s', t.conrelid::regclass, pg_get_constraintdef(t.oid)) as text
  from pg_constraint t join pg_class c on c.oid = t.conrelid join pg_namespace n on n.oid = c.relnamespace
  where ${OURS} and not c.relispartition and t.contype <> 'n' order by 1`;

const POLICIES = `
  select format('policy %I on %s%s: %s', p.polname, p.polrelid::regclass, case when c.relrowsecurity then '' else ' (not enabled)' end, pg_get_expr(p.polqual, p.polrelid)) as text
  from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace where ${OURS} order by p.polrelid::regclass::text`;

const INDEXES = `
  select pg_get_indexdef(c.oid) as text from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${OURS} and c.relkind in ('i', 'I') and not c.relispartition order by 1`;

const ROUTINES = `
  select pg_get_functiondef(p.oid) as text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where ${OURS} and p.prokind in ('f', 'p') order by n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)`;

/** The whole schema that the migrations make, as text that a change of it can be read from; partitions by time are left out. */
export async function schemaText(sql: Sql): Promise<string> {
  const texts = async (query: string) =>
    (await sql.query<{ text: string }>(query)).map(({ text }) => `${text.trim()};`);
  const parts: string[][] = [];
  for (const query of [TABLES, CONSTRAINTS, POLICIES, INDEXES, ROUTINES]) parts.push(await texts(query));
  return `-- The schema after every migration. Generated: UPDATE_DOCS=1 npm test -- libs/postgres/schema\n\n${parts.map((part) => part.join('\n\n')).join('\n\n')}\n`;
}
