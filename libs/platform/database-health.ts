import { SERVER_VERSION, type Database } from '#postgres';
import type { PartHealth } from './health';
import type { SecretBox } from './secret-box';

const ASKED = `select ${SERVER_VERSION} as version, current_setting('transaction_read_only')::boolean as "isReadOnly",
  (select proof from secret.master_key) as proof`;
const OTHER_KEY = 'Secrets in it are encrypted with another POSTLEDGER_SECRET_KEY since this process began';

/**
 * Health of PostgreSQL: not ok where it may only be read, as a replica before it is promoted, and where other processes close with a secret key that
 * this one does not know. Rejects when it does not answer.
 */
export async function databaseHealth(db: Pick<Database, 'session'>, secrets: SecretBox): Promise<PartHealth> {
  const session = await db.session();
  let isKept = false;
  try {
    const [row] = await session.query<{ version: string; isReadOnly: boolean; proof: string | null }>(ASKED);
    const { version, isReadOnly, proof } = row!;
    // By a default of the database a connection may only read for as long as it stands, whatever has become of that default.
    isKept = !isReadOnly;
    const server = { engine: 'PostgreSQL', version };
    if (isReadOnly) return { ok: false, detail: 'It may only be read', ...server };
    if (proof !== null && !secrets.opens(proof)) return { ok: false, detail: OTHER_KEY, ...server };
    return { ok: true, ...server };
  } finally {
    session.release(!isKept);
  }
}
