import { migrate, OtherVersionError, type Database } from '#postgres';
import { SettingsError } from './config/settings';

const PAUSE_MS = 250;
const SAY_EVERY_MS = 3_000;

/** SQLSTATEs for which waiting cannot help, and what to do about each. */
const HOPELESS: Readonly<Record<string, string>> = {
  '28P01': 'the password is wrong; check the user and password in DATABASE_URL',
  '28000': 'the login is refused; check the user in DATABASE_URL and the server’s pg_hba.conf',
  '3D000': 'the database does not exist; create it or name another in DATABASE_URL',
  '42501': 'the user may not do this; grant it the database (it needs to create schemas)',
};

/** Runs `attempt` until it succeeds, saying every few seconds what it waits for and why. SettingsErrors end the wait. */
export async function until<T>(what: string, attempt: () => Promise<T>, say: (sentence: string) => void): Promise<T> {
  for (let said = 0; ;) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof SettingsError) throw error;
      if (Date.now() - said >= SAY_EVERY_MS) {
        say(`Waiting for ${what}: ${sentenceOf(error)}`);
        said = Date.now();
      }
    }
    await new Promise((again) => setTimeout(again, PAUSE_MS));
  }
}

/** Waits until PostgreSQL answers; a refusal that will not pass is one clear sentence. */
export async function reachDatabase(db: Database, say: (sentence: string) => void): Promise<void> {
  const attempt = () => db.query('select 1').catch((error: unknown) => giveUp(db, error));
  await until(`PostgreSQL at ${new URL(db.url).host}`, attempt, say);
}

/** Applies the migrations that are missing and returns their names; what only the user can mend is one clear sentence. */
export const migrated = (db: Database): Promise<string[]> =>
  migrate(db).catch((error: unknown) => {
    if (!(error instanceof OtherVersionError)) return giveUp(db, error);
    throw new SettingsError(`${error.message} Start the newer one, or give this one a database of its own.`, {
      cause: error,
    });
  });

function giveUp(db: Database, error: unknown): never {
  const { host, pathname } = new URL(db.url);
  const remedy = HOPELESS[(error as { code?: string }).code ?? ''];
  if (remedy) throw new SettingsError(`PostgreSQL at ${host}${pathname} refuses: ${remedy}.`, { cause: error });
  throw error;
}

const sentenceOf = (error: unknown): string => {
  const { message, code, errors } = error as { message?: string; code?: string; errors?: Error[] };
  return message || errors?.[0]?.message || code || String(error);
};
