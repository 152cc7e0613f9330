import { spawnSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { EmbeddedServerError } from './embedded-server-error';

/** How to start the server: under other ids, or behind a prefix of the command line. */
export interface RunAs {
  readonly ids: { uid?: number; gid?: number };
  readonly prefix: readonly string[];
}

const idOf = (flag: '-u' | '-g', name: string): number | undefined => {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : undefined;
};

/**
 * PostgreSQL refuses to run as root. As root we take an unprivileged user that every system has; where that user cannot
 * reach the folders (a checkout below /root), a user namespace in which root looks like that user.
 */
export function chooseUser(binary: string, folder: string): RunAs {
  if (process.getuid?.() !== 0) return { ids: {}, prefix: [] };
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = [idOf('-u', name), idOf('-g', name)];
    if (uid === undefined || gid === undefined) continue;
    chownSync(folder, uid, gid);
    const reached = spawnSync('/bin/sh', ['-c', 'test -x "$0" && test -w "$1"', binary, folder], {
      uid,
      gid,
      cwd: '/',
    });
    if (reached.status === 0) return { ids: { uid, gid }, prefix: [] };
    chownSync(folder, 0, 0);
    const prefix = ['unshare', '--user', `--map-user=${uid}`];
    if (spawnSync(prefix[0]!, [...prefix.slice(1), 'true']).status === 0) return { ids: {}, prefix };
  }
  throw new EmbeddedServerError(
    `The embedded database cannot run as root, and no other user can reach ${folder}: move the checkout below a folder that others may enter (such as /srv or /tmp), or start as another user.`,
  );
}
