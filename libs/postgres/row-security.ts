import type { Database } from './database';
import { MIGRATION_LOCK } from './migrate';

/**
 * Makes the role that reads and turns the second lock on. Resolves with undefined, or with the reason for which this database cannot have
 * it: its user may not make roles, and nobody has made this one for it. Reads then stand on their own conditions alone.
 */
export async function lockRows(db: Database): Promise<string | undefined> {
  const reason = await db.tx(async (sql) => {
    await sql.query(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    const [row] = await sql.query<{ reason: string | null }>('select tenancy.open_reads() as reason');
    return row!.reason ?? undefined;
  });
  if (reason === undefined) db.lockRows();
  return reason;
}
