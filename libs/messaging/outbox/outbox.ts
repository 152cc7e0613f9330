import type { Sql } from '#postgres';
import type { BusMessage } from '../port/bus';

/** Partitions of the PostgreSQL bus: the unit that the members of a consumer group share. Fixed, since order per key hangs on it. */
export const PARTITIONS = 12;

/** The partition of a message, from its workspace (`ce_source`) and key: FNV-1a with a final mix, the same for ever. */
export function partitionOf({ headers, key }: Pick<BusMessage, 'headers' | 'key'>): number {
  const text = `${headers['ce_source'] ?? ''}\n${key}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) % PARTITIONS;
}

const PUBLISH = 'select bus.publish($1, $2, $3, $4, $5, $6, $7) as position';

/**
 * Appends messages to the bus inside the caller's transaction: they exist if it commits. Returns the position of the last
 * (0 when there are none). Holds the bus's head until the commit, so do it last. Once committed, call the bus's `wake`.
 */
export async function writeOutbox(sql: Sql, messages: readonly BusMessage[]): Promise<number> {
  if (messages.length === 0) return 0;
  const [row] = await sql.query<{ position: number }>(PUBLISH, [
    messages.map(partitionOf),
    messages.map(({ topic }) => topic),
    messages.map(({ key }) => key),
    messages.map(({ id }) => id),
    messages.map(({ type }) => type),
    messages.map(({ headers }) => JSON.stringify(headers)),
    messages.map(({ value }) => value),
  ]);
  return row!.position;
}
