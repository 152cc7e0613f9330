import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, statSync } from 'node:fs';
import { EmbeddedServerError } from './embedded-server-error';

/** How to start the server: under other ids, or behind a prefix of the command line. */
export interface RunAs {
  readonly ids: { uid?: number; gid?: number };
  readonly prefix: readonly string[];
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

const ROOT = 0;

const idOf = (flag: '-u' | '-g', name: string): number | undefined => {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : undefined;
};

function idsOf(name: string): Ids[] {
  const [uid, gid] = [idOf('-u', name), idOf('-g', name)];
  return uid === undefined || gid === undefined ? [] : [{ uid, gid }];
}

/**
 * PostgreSQL refuses to run as root. As root we take an unprivileged user that every system has; where that user cannot
 * reach the folders (a checkout below /root), a user namespace in which root looks like that user. A cluster that is there is its
 * owner's, whoever starts it now: PostgreSQL runs for no other.
 */
export function chooseUser(binary: string, folder: string, cluster: string): RunAs {
  if (process.getuid?.() !== ROOT) return { ids: {}, prefix: [] };
  const owner = existsSync(cluster) ? statSync(cluster) : undefined;
  if (owner && owner.uid !== ROOT) {
    if (reaches(owner, binary, folder)) return { ids: { uid: owner.uid, gid: owner.gid }, prefix: [] };
    throw new EmbeddedServerError(
      `The embedded database in ${folder} belongs to the user with the id ${owner.uid}, who cannot reach it and ${binary}: let that user enter the folders above them.`,
    );
  }
  for (const ids of ['postgres', 'nobody'].flatMap(idsOf)) {
    if (!owner && reaches(ids, binary, folder)) return { ids, prefix: [] };
    const prefix = ['unshare', '--user', `--map-user=${ids.uid}`];
    if (spawnSync(prefix[0]!, [...prefix.slice(1), 'true']).status === 0) return { ids: {}, prefix };
  }
  throw new EmbeddedServerError(
    `The embedded database cannot run as root, and no other user can reach ${folder}: move the checkout below a folder that others may enter (such as /srv or /tmp), or start as another user.`,
  );
}

/** Gives the folder to a user who can use both, and to nobody else. */
function reaches({ uid, gid }: Ids, binary: string, folder: string): boolean {
  const before = statSync(folder);
  chownSync(folder, uid, gid);
  const reached = spawnSync('/bin/sh', ['-c', 'test -x "$0" && test -w "$1"', binary, folder], { uid, gid, cwd: '/' });
  if (reached.status !== 0) chownSync(folder, before.uid, before.gid);
  return reached.status === 0;
}
