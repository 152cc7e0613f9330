import { DatabaseVersionError, isOutage, placeOf, planned, UnfitDatabaseError, type Database } from '#postgres';
import { SettingsError } from './config/settings';
import { refusalOf, unreadableFile } from './database-refusal';
import { sparingly } from './sparingly';

const PAUSE_MS = 250;
/** Somebody who tries by himself, or is not refused by anybody, is silent for long; to join a group takes some seconds by itself. */
const SILENT_MS = 5_000;

/**
 * Runs `attempt` until it succeeds, saying every few seconds what it waits for and why, also while an attempt takes long. SettingsErrors end
 * the wait.
 */
export async function until<T>(what: string, attempt: () => Promise<T>, say: (sentence: string) => void): Promise<T> {
  let now = sparingly(say);
  let why: string | undefined;
  const tell = () => now(() => `Waiting for ${what}: ${why ?? 'no answer yet'}`);
  for (;;) {
    const silence = setInterval(tell, SILENT_MS);
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof SettingsError) throw error;
      // The first reason need not wait behind the silence before it.
      if (why === undefined) now = sparingly(say);
      why = sentenceOf(error);
      tell();
    } finally {
      clearInterval(silence);
    }
    await new Promise((again) => setTimeout(again, PAUSE_MS));
  }
}

/** Waits until PostgreSQL answers; a refusal that will not pass is one clear sentence. */
export async function reachDatabase(db: Database, say: (sentence: string) => void): Promise<void> {
  await until(`PostgreSQL at ${placeOf(db.url).server}`, () => allowed(db, () => db.query('select 1')), say);
}

/**
 * Does `work`, which can be done twice, on a database that was reached; again when it went away meanwhile and is back. One that answers and
 * does not do it, as while it may only be read or has no space, is waited for as well.
 */
export async function onDatabase<T>(db: Database, work: () => Promise<T>, say: (sentence: string) => void): Promise<T> {
  const now = sparingly(say);
  for (;;) {
    try {
      return await allowed(db, work);
    } catch (error) {
      if (!isOutage(error)) throw error;
      now(() => `Waiting for PostgreSQL at ${placeOf(db.url).server}: ${sentenceOf(error)}`);
    }
    await new Promise((again) => setTimeout(again, PAUSE_MS));
    await reachDatabase(db, say);
  }
}

type Session = Awaited<ReturnType<Database['session']>>;

/** Whether what is set for a session stays with it while another is in a transaction. */
async function isAlone(one: Session, db: Pick<Database, 'session'>): Promise<boolean> {
  const other = await db.session();
  const mark = `${process.pid}.${performance.now()}`;
  const markOf = async ({ query }: Session) =>
    (await query<{ mark: string | null }>(planned("select current_setting('postledger.mark', true) as mark")))[0]!.mark;
  try {
    await one.query(planned("select set_config('postledger.mark', $1, false)"), [mark]);
    await other.script('begin');
    const marks = [await markOf(one), await markOf(other)];
    await other.script('rollback');
    return marks[0] === mark && marks[1] !== mark;
  } finally {
    other.release(true);
  }
}

/**
 * Rejects with a SettingsError where a pooler gives every transaction another connection, as pgbouncer does in transaction mode: leaders are those whose
 * connection holds a lock, and what is listened for comes on one, too. Two sessions at once tell, for the one gets what the other had.
 */
export async function expectSessions(db: Pick<Database, 'session' | 'url'>): Promise<void> {
  const one = await db.session();
  try {
    if (await isAlone(one, db)) return;
  } finally {
    one.release(true);
  }
  const { server, database } = placeOf(db.url);
  throw new SettingsError(
    `PostgreSQL at ${server}/${database} is behind a pooler that gives every transaction another connection. Name PostgreSQL itself in DATABASE_URL, or let the pooler give each client a connection of its own (pool_mode = session).`,
  );
}

/** What the user can mend is a SettingsError. */
async function allowed<T>({ url }: Database, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DatabaseVersionError)
      throw new SettingsError(`${error.message} Start that one, or give this one a database of its own.`, {
        cause: error,
      });
    const unreadable = unreadableFile(error);
    if (unreadable) throw new SettingsError(unreadable, { cause: error });
    const { server, database } = placeOf(url);
    if (error instanceof UnfitDatabaseError)
      throw new SettingsError(`PostgreSQL at ${server}/${database} cannot be used: ${error.message}.`, {
        cause: error,
      });
    const refusal = refusalOf(error);
    if (!refusal) throw error;
    throw new SettingsError(`PostgreSQL at ${server}/${database} refuses: ${refusal}.`, { cause: error });
  }
}

const sentenceOf = (error: unknown): string => {
  const { message, code, errors } = error as { message?: string; code?: string; errors?: Error[] };
  return message || errors?.[0]?.message || code || String(error);
};
