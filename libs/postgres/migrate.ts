import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from './database';

const FOLDER = join(__dirname, 'migrations');
/** Any constant: the advisory lock under which one process migrates while the others wait. */
export const MIGRATION_LOCK = 7_305_001;

/** The numbered SQL files, in order. They only ever go forward. */
export const migrations = (): { name: string; sql: string }[] =>
  readdirSync(FOLDER)
    .filter((name) => /^\d{4}_[a-z_]+\.sql$/.test(name))
    .sort()
    .map((name) => ({ name, sql: readFileSync(join(FOLDER, name), 'utf8') }));

/** The database is newer than this build, or another's. */
export class DatabaseVersionError extends Error {
  override readonly name = 'DatabaseVersionError';
}

/** Applies what is missing, each file in the one transaction, under a lock; returns the names applied. Throws a DatabaseVersionError when the database is newer than this build. */
export async function migrate(db: Database): Promise<string[]> {
  const files = migrations();
  return db.tx(async (sql) => {
    await sql.query(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await sql.query(
      'create table if not exists public.schema_migration (name text primary key, applied_at timestamptz not null default now())',
    );
    const applied = new Set(
      (await sql.query<{ name: string }>('select name from public.schema_migration')).map(({ name }) => name),
    );
    const unknown = [...applied].filter((name) => !files.some((file) => file.name === name));
    if (unknown.length > 0)
      throw new DatabaseVersionError(
        `The database was made by another version of Postledger: it holds ${unknown.join(', ')}, which this build does not know.`,
      );
    const missing = files.filter(({ name }) => !applied.has(name));
    for (const { name, sql: text } of missing) {
      await sql.script(text);
      await sql.query('insert into public.schema_migration (name) values ($1)', [name]);
    }
    // What a migration has made is locked and opened like the rest (0080).
    if (missing.length > 0) await sql.query('select tenancy.open_reads()');
    return missing.map(({ name }) => name);
  });
}
