import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EmbeddedServer } from '#postgres';
import { SettingsError } from './config/settings';
import { claimDataDir, holderOf } from './data-dir';

const DATABASE = 'postledger';

export interface ReachedDatabase {
  readonly url: string;
  /** Stops what was started for it, and nothing else. */
  close(): Promise<void>;
}

/**
 * The embedded database of a DATA_DIR, for a tool beside the apps: the server that runs there, else one that is started for as long as the
 * tool needs it. SettingsError when there is no such state, or it is held by a process whose database does not answer.
 */
export async function reachEmbedded(dataDir: string): Promise<ReachedDatabase> {
  const folder = resolve(dataDir, 'postgres');
  if (!isMade(join(folder, 'cluster', 'PG_VERSION')))
    throw new SettingsError(
      `There is no embedded database in ${resolve(dataDir)}: set DATA_DIR to the folder that npm start uses, or DATABASE_URL to a PostgreSQL of yours.`,
    );
  const holder = holderOf(resolve(dataDir));
  if (holder !== undefined) {
    const url = await EmbeddedServer.running(folder, DATABASE);
    if (url) return { url, close: async () => undefined };
    throw new SettingsError(`Process ${holder} uses ${resolve(dataDir)}, and its database does not answer: try again.`);
  }
  return ownEmbedded(dataDir);
}

/** Whether there is this file. SettingsError when this user may not see it. */
function isMade(file: string): boolean {
  try {
    statSync(file);
    return true;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') return false;
    throw new SettingsError(`${file} may not be read by this user: be the one whose database it is, or root.`, {
      cause,
    });
  }
}

/** One that drains in another container is given so long to end. */
const LEAVING_MS = 15_000;

/**
 * Claims DATA_DIR for this process like `claimDataDir`, once no database runs there that this process cannot see: of an owner in another container
 * neither its number nor its birth says that it lives. SettingsError when it is held.
 */
export async function takeDataDir(dataDir: string, leavingMs = LEAVING_MS): Promise<() => void> {
  const folder = join(dataDir, 'postgres');
  const isTaken = async () => (await EmbeddedServer.isElsewhere(folder)) && holderOf(dataDir) === undefined;
  for (const deadline = performance.now() + leavingMs; await isTaken();) {
    if (performance.now() > deadline)
      throw new SettingsError(
        `A database that cannot be seen from here, as in another container, runs in ${folder}: stop what it belongs to, or set DATA_DIR to another folder.`,
      );
    await pause(100);
  }
  return claimDataDir(dataDir);
}

/** Claims a DATA_DIR and starts its database, made when missing. SettingsError when somebody else holds it. */
export async function ownEmbedded(dataDir: string): Promise<ReachedDatabase> {
  const release = await takeDataDir(resolve(dataDir));
  try {
    const server = await startEmbedded(dataDir);
    return { url: server.localUrl(DATABASE), close: () => server.stop().finally(release) };
  } catch (error) {
    release();
    throw error;
  }
}

/** Starts the database server of a DATA_DIR that this process has claimed. */
export async function startEmbedded(dataDir: string): Promise<EmbeddedServer> {
  const server = await EmbeddedServer.start({ folder: resolve(dataDir, 'postgres') });
  await server.ensureDatabase(DATABASE);
  return server;
}
