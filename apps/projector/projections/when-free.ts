import { isInUse, type Database, type Sql } from '#postgres';

/** So long a statement waits for a table that others use: whoever comes to the table meanwhile waits behind it. */
const LOCK_MS = 500;

/** Does `work` in one transaction. Undefined, with nothing done, when somebody keeps for longer what it must have for itself. */
export async function whenFree<T>(db: Database, work: (sql: Sql) => Promise<T>): Promise<T | undefined> {
  try {
    return await db.tx(async (sql) => {
      await sql.script(`set local lock_timeout = ${LOCK_MS}`);
      return work(sql);
    });
  } catch (error) {
    if (isInUse(error)) return undefined;
    throw error;
  }
}
