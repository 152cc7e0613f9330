import type { Reads } from '#postgres';
import type { PartHealth } from './health';

/** Health of PostgreSQL: not ok where it may only be read, as a replica before it is promoted. Rejects when it does not answer. */
export async function databaseHealth(db: Reads): Promise<PartHealth> {
  const [row] = await db.query<{ version: string; isReadOnly: boolean }>(
    `select split_part(current_setting('server_version'), ' ', 1) as version, current_setting('transaction_read_only')::boolean as "isReadOnly"`,
  );
  const server = { engine: 'PostgreSQL', version: row!.version };
  return row!.isReadOnly ? { ok: false, detail: 'It may only be read', ...server } : { ok: true, ...server };
}
