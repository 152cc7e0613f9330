import type { Database } from '#postgres';

export interface Retention {
  /** Days that a message is kept (7). */
  readonly days?: number;
  /** Days after which it goes even when a consumer group has not read it (30). */
  readonly unreadDays?: number;
}

/**
 * Makes the day partitions of the coming days and drops old ones whole; no row is ever deleted. What is old is so by the clock that dated
 * the messages, the server's: every process does this, and the clock of one may be wrong. Returns the names of the
 * tables dropped. Rejects when readers keep the table busy for 2 s: try again later.
 */
export function maintainBus(db: Database, { days = 7, unreadDays = 30 }: Retention = {}): Promise<string[]> {
  return db.tx(async (sql) => {
    await sql.script("set local lock_timeout = '2s'");
    const rows = await sql.query<{ maintain: string }>(
      'select bus.maintain(now() - make_interval(days => $1), now() - make_interval(days => $2)) as maintain',
      [days, Math.max(days, unreadDays)],
    );
    return rows.map(({ maintain }) => maintain);
  });
}
