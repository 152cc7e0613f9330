import type { Database, Sql } from '#postgres';

/** So long a statement waits for a table that others use: whoever comes to the table meanwhile waits behind it. */
const LOCK_MS = 500;
/** SQLSTATE: the lock was not there in that time. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Does `work` in one transaction. Undefined, with nothing done, when somebody keeps for longer what it must have for itself. */
export async function whenFree<T>(db: Database, work: (sql: Sql) => Promise<T>): Promise<T | undefined> {
  try {
    return await db.tx(async (sql) => {
      await sql.script(`set local lock_timeout = ${LOCK_MS}`);
      return work(sql);
    });
  } catch (error) {
    if ((error as { code?: string }).code === LOCK_NOT_AVAILABLE) return undefined;
    throw error;
  }
}
