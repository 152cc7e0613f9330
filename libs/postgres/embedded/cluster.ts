import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedServerError } from './embedded-server-error';
import type { RunAs } from './run-as';
import { syncFolder } from './sync-folder';

/** Where it can, initdb asks for the whole file system at once: a thousand files one by one take a second longer. */
const SYNC = process.platform === 'linux' ? ['--sync-method=syncfs'] : [];

/** A cluster that is being made, or whose making was killed. */
const UNFINISHED = /^cluster\.\d+$/;

/**
 * Makes the cluster when there is none, and returns the password of its owner. It gets its name when it is whole and on the disk: one
 * whose making was cut short, by a kill or a power cut, is made anew. Throws an EmbeddedServerError when it cannot be made or is of another version.
 */
export function initialise(folder: string, cluster: string, initdb: string, user: RunAs): string {
  const secret = join(folder, 'password');
  if (existsSync(join(cluster, 'PG_VERSION'))) {
    const version = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
    if (version !== '18')
      throw new EmbeddedServerError(
        `${cluster} was made by PostgreSQL ${version}, and this build runs 18: move it away, or set DATA_DIR to another folder.`,
      );
    if (!existsSync(secret))
      throw new EmbeddedServerError(
        `${secret} is missing, and nobody enters ${cluster} without it: bring it back, or set DATA_DIR to another folder.`,
      );
    return readFileSync(secret, 'utf8').trim();
  }
  for (const name of readdirSync(folder))
    if (UNFINISHED.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  writeFileSync(secret, `${crypto.randomUUID()}\n`, { mode: 0o600, flush: true });
  if (user.ids.uid !== undefined) {
    chownSync(folder, user.ids.uid, user.ids.gid!);
    chownSync(secret, user.ids.uid, user.ids.gid!);
  }
  const making = join(folder, `cluster.${process.pid}`);
  runInitdb(initdb, making, secret, folder, user);
  try {
    renameSync(making, cluster);
  } catch (cause) {
    throw new EmbeddedServerError(
      `${cluster} holds no database and is not empty: move it away, or set DATA_DIR to another folder.`,
      { cause },
    );
  }
  syncFolder(folder);
  return readFileSync(secret, 'utf8').trim();
}

function runInitdb(initdb: string, cluster: string, secret: string, folder: string, user: RunAs): void {
  const [command, ...args] = [
    ...user.prefix,
    initdb,
    '-D',
    cluster,
    '-U',
    'postgres',
    '-A',
    'scram-sha-256',
    `--pwfile=${secret}`,
    '-E',
    'UTF8',
    '--locale=C',
    ...SYNC,
  ];
  const made = spawnSync(command!, args, {
    encoding: 'utf8',
    cwd: folder,
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    ...user.ids,
  });
  if (made.status !== 0)
    throw new EmbeddedServerError(
      `The embedded database could not be made in ${folder}: ${reasonIn((made.stderr || String(made.error)).trim().split('\n'))}`,
    );
}

/** What failed, and not how initdb tidied up after it. */
const reasonIn = (said: readonly string[]): string =>
  said.find((line) => /\b(?:error|FATAL|PANIC):/.test(line)) ?? said.at(-1)!;
