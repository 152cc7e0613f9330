// Where the tests write: database clusters, mostly, of thousands of files that live for seconds. A disk takes a quarter of a run to make and to remove them.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const TMPFS = 0x01021994;
const NAME = /^postledger-tests-(\d+)$/;
/** Several times what a run takes at its most (0.6 GB). */
const LEAST_BYTES = 4 * 1024 ** 3;

/** A new folder in memory, or undefined where there is too little of it, or programs may not run in it. What ended runs have left is removed. */
export function memoryFolder() {
  const folder = join(MEMORY, `postledger-tests-${process.pid}`);
  try {
    for (const name of readdirSync(MEMORY)) if (isLeft(name)) remove(join(MEMORY, name));
    const { type, bavail, bsize } = statfsSync(MEMORY);
    if (type !== TMPFS || Math.min(bavail * bsize, process.availableMemory()) < LEAST_BYTES) return undefined;
    // The embedded database runs as another user where the tests are root's.
    mkdirSync(folder, { mode: 0o755 });
  } catch {
    return undefined;
  }
  const program = join(folder, 'runs');
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
  if (spawnSync(program).status === 0) return folder;
  remove(folder);
  return undefined;
}

export function remove(folder) {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    // Somebody else's.
    if (!['EACCES', 'EPERM'].includes(error.code)) throw error;
  }
}

function isLeft(name) {
  const [, pid] = NAME.exec(name) ?? [];
  if (!pid) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
