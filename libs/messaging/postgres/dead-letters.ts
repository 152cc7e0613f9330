import type { Database } from '#postgres';
import type { ReceivedMessage } from '../port/bus';

/** Keeps a message that a group cannot handle, with the reason. The same one again changes nothing. */
export async function park(db: Database, group: string, message: ReceivedMessage, reason: string): Promise<void> {
  const { offset, partition, topic, key, id, type, headers, value } = message;
  await db.query(
    `insert into bus.dead_letter (group_name, position, partition, topic, key, id, type, headers, value, reason)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing`,
    [group, offset, partition, topic, key, id, type, JSON.stringify(headers), value, reason],
  );
}

export interface DeadLetter {
  readonly id: string;
  readonly type: string;
  readonly topic: string;
  readonly key: string;
  readonly reason: string;
  readonly parkedAt: string;
}

/** The newest parked messages of a group. */
export function deadLetters(db: Database, group: string, limit = 100): Promise<DeadLetter[]> {
  return db.query<DeadLetter>(
    `select id, type, topic, key, reason, parked_at as "parkedAt" from bus.dead_letter
     where group_name = $1 order by parked_at desc, position desc limit $2`,
    [group, limit],
  );
}
