import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EmbeddedServer } from '#postgres';
import { SettingsError } from './config/settings';
import { claimDataDir, holderOf } from './data-dir';

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
  if (!existsSync(join(folder, 'cluster', 'PG_VERSION')))
    throw new SettingsError(
      `There is no embedded database in ${resolve(dataDir)}: set DATA_DIR to the folder that npm start uses, or DATABASE_URL to a PostgreSQL of yours.`,
    );
  const holder = holderOf(resolve(dataDir));
  if (holder !== undefined) {
    const url = await EmbeddedServer.running(folder, 'postledger');
    if (url) return { url, close: async () => undefined };
    throw new SettingsError(`Process ${holder} uses ${resolve(dataDir)}, and its database does not answer: try again.`);
  }
  const release = claimDataDir(resolve(dataDir));
  try {
    const server = await EmbeddedServer.start({ folder });
    const close = () => server.stop().finally(release);
    await server.ensureDatabase('postledger');
    return { url: server.localUrl('postledger'), close };
  } catch (error) {
    release();
    throw error;
  }
}
