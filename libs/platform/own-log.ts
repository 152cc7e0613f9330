import { eventAt, NoSuchPositionError, type EventStore, type Position } from '#event-store';
import type { Sql } from '#postgres';
import { SettingsError } from './config/settings';

/** The newest event that the database remembers, where something is remembered. */
interface Remembered {
  readonly position: Position;
  /** UUID; null where only the place is known, as right after a switch of positions. */
  readonly id: string | null;
}

/**
 * Rejects with a SettingsError when the log is not the one that the database was built from: another store, the one before a move, or one that was
 * set back. Everything below the places that the database remembers would be passed over, and whoever has given a command would never
 * hear of it. A database that remembers nothing takes any log.
 */
export async function expectOwnLog(db: Sql, store: EventStore): Promise<void> {
  const difference = await differenceFrom(db, store);
  if (difference !== undefined)
    throw new SettingsError(
      `The log is not the one that this database was built from: ${difference}. Check EVENT_STORE_URL; after a move of the log it names the new one, and a log that was restored needs the database of the same time.`,
    );
}

/** What is not in the log of what the database remembers, as half a sentence; undefined when the two belong together. */
export async function differenceFrom(db: Sql, store: EventStore): Promise<string | undefined> {
  const newest = await remembered(db);
  if (newest === undefined) return undefined;
  const there = await idAt(store, newest.position);
  if (there === undefined) return `at position ${newest.position} it has no event`;
  return newest.id === null || newest.id === there ? undefined : `at position ${newest.position} it has another event`;
}

async function idAt(store: EventStore, position: Position): Promise<string | undefined> {
  try {
    return (await eventAt(store, position))?.id;
  } catch (error) {
    if (error instanceof NoSuchPositionError) return undefined;
    throw error;
  }
}

/** What the audit log ends with; while it is empty, where the outbox is. */
async function remembered(db: Sql): Promise<Remembered | undefined> {
  const [views] = await db.query<{ audit: boolean }>(
    "select to_regclass('read.audit_head') is not null and to_regclass('read.audit') is not null as audit",
  );
  const [entry] = views!.audit
    ? await db.query<Remembered>(
        `select a.position, a.event_id as id from (select workspace, position from read.audit_head order by position desc limit 1) h
         join read.audit a using (workspace, position)`,
      )
    : [];
  if (entry) return entry;
  const [outbox] = await db.query<Remembered>(
    "select position, null as id from projector.checkpoint where name = 'outbox' and status = 'current' and position > 0",
  );
  return outbox;
}
