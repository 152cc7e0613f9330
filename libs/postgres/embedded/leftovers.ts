import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { RunAs } from './run-as';

const SOCKET = /^\.s\.PGSQL\.\d+$/;

/**
 * A server that outlived its owner by a moment is stopped before a new one starts on the same folder. After a power cut, or in a container
 * that is started anew, the number that it left may be another process's: pg_ctl would end that one, and the server take it for its like.
 */
export function stopOrphan(cluster: string, pgCtl: string, user: RunAs): void {
  const left = join(cluster, 'postmaster.pid');
  if (!existsSync(left)) return;
  const working = workersIn(realpathSync(cluster));
  if (working?.length === 0) return rmSync(left);
  if (working && !working.includes(readFileSync(left, 'utf8').split('\n')[0]!)) return;
  for (const mode of ['fast', 'immediate']) {
    const [command, ...args] = [...user.prefix, pgCtl, 'stop', '-D', cluster, '-m', mode, '-w', '-t', '30'];
    const { status } = spawnSync(command!, args, {
      stdio: 'ignore',
      cwd: cluster,
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      ...user.ids,
    });
    if (status === 0 || !existsSync(left)) return;
  }
}

/** Numbers of the processes that work in a folder, as every process of a server does in its cluster; undefined where the system has no /proc. */
function workersIn(folder: string): string[] | undefined {
  if (!existsSync('/proc/self/cwd')) return undefined;
  const worksThere = (pid: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && worksThere(name));
}

/** A server that was killed leaves its socket, named by a port that is never used again. */
export function removeSockets(folder: string): void {
  for (const name of readdirSync(folder)) if (name.startsWith('.s.PGSQL.')) rmSync(join(folder, name));
}

/**
 * Whether a server runs on the cluster in a folder whose processes cannot be seen from here, as from another container: no number tells
 * of it, and its socket answers.
 */
export async function isServedElsewhere(folder: string): Promise<boolean> {
  const cluster = join(folder, 'cluster');
  if (!existsSync(cluster) || workersIn(realpathSync(cluster))?.length !== 0) return false;
  const sockets = readdirSync(folder).filter((name) => SOCKET.test(name));
  return (await Promise.all(sockets.map((name) => isHeard(join(folder, name))))).includes(true);
}

const isHeard = (path: string): Promise<boolean> =>
  new Promise((tell) => {
    const socket = connect(path, () => tell(true)).on('error', () => tell(false));
    socket.once('connect', () => socket.destroy());
  });
