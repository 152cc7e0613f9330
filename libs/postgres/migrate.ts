import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Database, Sql } from './database';
import { isInUse, sqlStateOf } from './sql-state';

const FOLDER = join(__dirname, 'migrations');
/** Any constant: the advisory lock under which one process migrates while the others wait. */
export const MIGRATION_LOCK = 7_305_001;

/** The numbered SQL files, in order. They only ever go forward. */
export const migrations = (): { name: string; sql: string }[] =>
  readdirSync(FOLDER)
    .filter((name) => /^\d{4}_[a-z_]+\.sql$/.test(name))
    .sort()
    .map((name) => ({ name, sql: readFileSync(join(FOLDER, name), 'utf8') }));

/** The database is newer than this build, or another's: one that its migrations do not know, or do not fit. */
export class DatabaseVersionError extends Error {
  override readonly name = 'DatabaseVersionError';
}

/** The server is older than what migrations are written for, its database cannot hold every text, or its rows are kept from the user. */
export class UnfitDatabaseError extends Error {
  override readonly name = 'UnfitDatabaseError';
}

/** Before it nothing tells the time in a UUIDv7, which is when a delivery came into being: 17 answers null, 16 has no such function. */
const OLDEST = 180_000;

/** Whoever uses a table that a migration changes is waited for so long: everybody else waits behind the migration. */
const LOCK_TIMEOUT = '500ms';
/** In which the others go on before the next try. */
const PAUSE_MS = 2_000;
/** SQLSTATEs of what is missing, there already or otherwise than a migration has it; but for a right that the user has not. */
const DOES_NOT_FIT = /^(?:22|23|2B|42(?!501))/;

/**
 * Applies what is missing, each file in the one transaction, under a lock; returns the names applied. While somebody keeps a table busy that is
 * to change, such as a backup, it tries again and says so. Throws, and has changed nothing, a DatabaseVersionError when the database is newer
 * than this build or otherwise than a migration expects it, and an UnfitDatabaseError when it cannot be used as it is.
 */
export async function migrate(db: Database, say: (sentence: string) => void = () => undefined): Promise<string[]> {
  const files = migrations();
  return db.tx(async (sql) => {
    await expectFit(sql);
    // Whatever is set for its user: a turn may be long in coming, and an index in the making.
    await sql.script('set local statement_timeout = 0');
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
    while (missing.length > 0 && !(await applyAll(sql, missing))) {
      say('Waiting for whoever uses the tables that a migration is to change, such as a backup.');
      await pause(PAUSE_MS);
    }
    await expectOpen(sql);
    return missing.map(({ name }) => name);
  });
}

async function expectFit(sql: Sql): Promise<void> {
  const [server] = await sql.query<{ number: number; version: string; encoding: string }>(
    "select current_setting('server_version_num')::int as number, current_setting('server_version') as version, current_setting('server_encoding') as encoding",
  );
  const { number, version, encoding } = server!;
  if (number < OLDEST)
    throw new UnfitDatabaseError(`it is PostgreSQL ${version.split(' ')[0]}, and Postledger needs 18`);
  if (encoding !== 'UTF8')
    throw new UnfitDatabaseError(`its encoding is ${encoding}, and Postledger needs one that is made with UTF8`);
}

/** Policies bind everybody but the owner: to another user, whatever was granted, the log would be empty and nothing would say so. */
async function expectOpen(sql: Sql): Promise<void> {
  const [closed] = await sql.query<{ name: string; owner: string; asker: string }>(
    `select c.oid::regclass::text as name, pg_get_userbyid(c.relowner) as owner, current_user::text as asker
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('log', 'bus', 'projector', 'read', 'delivery', 'api', 'subject') and c.relrowsecurity and row_security_active(c.oid)
     order by c.oid limit 1`,
  );
  if (closed)
    throw new UnfitDatabaseError(
      `row-level security keeps the rows of ${closed.name} from ${closed.asker}, for it belongs to ${closed.owner}; let ${closed.asker} own what Postledger has made, or grant it the role ${closed.owner}`,
    );
}

/** Whether all of it is done; if not, nothing is, and nothing is locked any more but migrating itself. */
async function applyAll(sql: Sql, missing: readonly { name: string; sql: string }[]): Promise<boolean> {
  await sql.script(`savepoint before; set local lock_timeout = '${LOCK_TIMEOUT}'`);
  try {
    for (const { name, sql: text } of missing) {
      await sql.script(text).catch((error: Error) => {
        if (!DOES_NOT_FIT.test(sqlStateOf(error))) throw error;
        throw new DatabaseVersionError(
          `The database was made by another version of Postledger: ${name} does not fit it (${error.message}), and nothing was changed.`,
          { cause: error },
        );
      });
      await sql.query('insert into public.schema_migration (name) values ($1)', [name]);
    }
    // What a migration has made is locked and opened like the rest (0080).
    await sql.query('select tenancy.open_reads()');
    return true;
  } catch (error) {
    if (!isInUse(error)) throw error;
    await sql.script('rollback to savepoint before');
    return false;
  }
}
