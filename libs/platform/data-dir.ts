import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsError } from './config/settings';

/** Raised when the layout below DATA_DIR changes in a way that an older build cannot read. */
const LAYOUT = '1';

/**
 * Takes DATA_DIR for this process: makes it when missing, refuses one of another layout and one that a living process holds.
 * Returns the way to give it back.
 */
export function claimDataDir(dataDir: string): () => void {
  const [layout, owner] = [join(dataDir, 'layout'), join(dataDir, 'owner.pid')];
  try {
    mkdirSync(dataDir, { recursive: true });
    if (!existsSync(layout)) writeFileSync(layout, `${LAYOUT}\n`);
    const found = readFileSync(layout, 'utf8').trim();
    if (found !== LAYOUT)
      throw new SettingsError(
        `${dataDir} was made by another version of Postledger (layout ${found}, this build has ${LAYOUT}): move it away, or set DATA_DIR to another folder.`,
      );
    const holder = holderOf(dataDir);
    if (holder !== undefined && holder !== process.pid)
      throw new SettingsError(
        `Another Postledger (process ${holder}) uses ${dataDir}: stop it, or set DATA_DIR to another folder.`,
      );
    writeFileSync(owner, String(process.pid));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
      throw new SettingsError(
        `${dataDir} may not be written by this user: give it the folder, or set DATA_DIR to another.`,
      );
    if (code === 'ENOTDIR' || code === 'EEXIST')
      throw new SettingsError(`${dataDir} is not a folder: set DATA_DIR to one.`);
    if (code === 'ENOSPC') throw new SettingsError(`There is no space left for ${dataDir}.`);
    throw error;
  }
  return () => {
    if (existsSync(owner) && readFileSync(owner, 'utf8') === String(process.pid)) rmSync(owner);
  };
}

/** The living process that has claimed DATA_DIR, if there is one. */
export function holderOf(dataDir: string): number | undefined {
  const owner = join(dataDir, 'owner.pid');
  const holder = existsSync(owner) ? Number(readFileSync(owner, 'utf8')) : 0;
  return holder && isOurs(holder) ? holder : undefined;
}

/** Whether the process lives and is a node: a pid may have been given to something else since. */
function isOurs(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const command = `/proc/${pid}/cmdline`;
  return !existsSync(command) || readFileSync(command, 'utf8').includes('node');
}
