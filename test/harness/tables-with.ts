import type { Database } from '#postgres';

/** The tables of a database, those of every schema and partition, that hold something matching `pattern` (POSIX, in any case) in any column. */
export async function tablesWith(db: Database, pattern: string): Promise<string[]> {
  const tables = await db.query<{ name: string }>(
    "select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')",
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await db.query(`select 1 from ${name} t where t::text ~* $1 limit 1`, [pattern]);
    if (rows.length > 0) found.push(name);
  }
  return found;
}
