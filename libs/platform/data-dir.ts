import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsError } from './config/settings';
import { writeWhole } from './write-whole';

/** Raised when the layout below DATA_DIR changes in a way that an older build cannot read. */
const LAYOUT = '1';
/** Another process is between the making of its mark and the writing of it, or was killed there. */
const WRITING = { looks: 100, everyMs: 10 };

/**
 * Takes DATA_DIR for this process: makes it when missing, refuses one of another layout and one that a living process holds.
 * Returns the way to give it back.
 */
export function claimDataDir(dataDir: string): () => void {
  const [layout, owner] = [join(dataDir, 'layout'), join(dataDir, 'owner.pid')];
  const identity = [process.pid, birthOf(process.pid)].join(' ').trim();
  try {
    mkdirSync(dataDir, { recursive: true });
    if (!existsSync(layout)) writeWhole(layout, `${LAYOUT}\n`);
    const found = readFileSync(layout, 'utf8').trim();
    if (found !== LAYOUT)
      throw new SettingsError(
        `${dataDir} was made by another version of Postledger (layout ${found}, this build has ${LAYOUT}): move it away, or set DATA_DIR to another folder.`,
      );
    while (!isFirst(owner, identity)) {
      const found = written(owner);
      const holder = livingIn(found);
      if (holder !== undefined && holder !== process.pid)
        throw new SettingsError(
          `Another Postledger (process ${holder}) uses ${dataDir}: stop it, or set DATA_DIR to another folder.`,
        );
      takeAway(owner, found);
    }
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
    if (read(owner) === identity) rmSync(owner);
  };
}

/** The living process that has claimed DATA_DIR, if there is one. */
export function holderOf(dataDir: string): number | undefined {
  return livingIn(read(join(dataDir, 'owner.pid')));
}

/** What is in a file; nothing when it is gone. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Leaves the mark of an owner where there is none. Of several processes that try at once one does. */
function isFirst(owner: string, identity: string): boolean {
  try {
    writeFileSync(owner, identity, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function written(owner: string): string {
  const still = new Int32Array(new SharedArrayBuffer(4));
  for (let look = 0; look < WRITING.looks && existsSync(owner) && read(owner) === ''; look++)
    Atomics.wait(still, 0, 0, WRITING.everyMs);
  return read(owner);
}

/** Takes the mark of one who is gone away, unless another has taken it away and left its own since. */
function takeAway(owner: string, gone: string): void {
  const taken = `${owner}.${process.pid}`;
  try {
    renameSync(owner, taken);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const found = read(taken);
  rmSync(taken);
  if (found !== gone) isFirst(owner, found);
}

function livingIn(mark: string): number | undefined {
  const [pid, birth] = mark.split(' ');
  return pid && isThere(Number(pid), birth) ? Number(pid) : undefined;
}

/** Whether it is still that process: in a container that is started anew its number soon is another's. */
function isThere(pid: number, birth: string | undefined): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = birthOf(pid);
  return now === undefined || birth === undefined || now === birth;
}

/** When a process was started, in ticks since the machine was; 'gone' when nobody has asked for its end yet; undefined where the system has no /proc. */
function birthOf(pid: number): string | undefined {
  try {
    // The second field is the name of the program in parentheses, with anything in it; this one is the 22nd.
    const [state, ...rest] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return state === 'Z' ? 'gone' : rest[18];
  } catch {
    return undefined;
  }
}
