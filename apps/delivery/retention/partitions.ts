import { setTimeout as pause } from 'node:timers/promises';
import { isInUse, sqlStateOf, type Sql } from '#postgres';

/** What the slower of two processes that make the same partition gets: the table, or its row type, is there. */
const MADE_MEANWHILE = ['42P07', '23505'];
/** Yesterday, today, and four more. */
export const AHEAD_DAYS = 6;
const TRIES = 20;
/** A start waits for others' short statements, and not for a backup. */
const START_TRIES = 3;
const PAUSE_MS = 250;

/**
 * Makes the days at a start. While the tables are in use, as by a backup for hours, it returns false: retention tries again, and what
 * comes on a day without partitions has a place in the default ones.
 */
export async function ensureDaysAtStart(sql: Sql, now: string): Promise<boolean> {
  try {
    await ensureDays(sql, now, AHEAD_DAYS, START_TRIES);
    return true;
  } catch (error) {
    if (!isInUse(error)) throw error;
    return false;
  }
}

/** Makes the day partitions from yesterday on that are missing, as of the moment `now`. */
export async function ensureDays(sql: Sql, now: string, days: number, atMost = TRIES): Promise<void> {
  const missing = await sql.query<{ parent: string; day: string }>(
    "select parent, to_char(day, 'YYYY-MM-DD') as day from delivery.missing_days(($1::timestamptz at time zone 'UTC')::date - 1, $2)",
    [now, days],
  );
  for (const { parent, day } of missing)
    await patiently(() => sql.query('select delivery.make_day($1, $2)', [parent, day]), atMost).catch(
      (error: Error) => {
        if (!MADE_MEANWHILE.includes(sqlStateOf(error))) throw error;
      },
    );
}

/** Does what gives way when a table is in use, until it gets its turn. */
export async function patiently<T>(work: () => Promise<T>, atMost = TRIES): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isInUse(error) || tries >= atMost) throw error;
      await pause(PAUSE_MS);
    }
  }
}
