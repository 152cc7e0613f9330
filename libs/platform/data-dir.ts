import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SettingsError } from './config/settings';
import { writeWhole } from './write-whole';

/** Raised when the layout below DATA_DIR changes in a way that an older build cannot read. */
const LAYOUT = '1';
/** Taking a folder takes some milliseconds: one that has not after so long was killed there. */
const LEFT_MS = 10_000;
const LOOK_MS = 10;

/**
 * Takes DATA_DIR for this process: makes it when missing, refuses one of another layout and one that a living process holds.
 * Returns the way to give it back.
 */
export function claimDataDir(dataDir: string): () => void {
  const [layout, owner] = [join(dataDir, 'layout'), join(dataDir, 'owner.pid')];
  const identity = [process.pid, birthOf(process.pid)].join(' ').trim();
  inDataDir(dataDir, () => {
    if (!existsSync(layout)) writeWhole(layout, `${LAYOUT}\n`);
    const found = readFileSync(layout, 'utf8').trim();
    if (found !== LAYOUT)
      throw new SettingsError(
        `${dataDir} was made by another version of Postledger (layout ${found}, this build has ${LAYOUT}): move it away, or set DATA_DIR to another folder.`,
      );
    alone(dataDir, () => {
      const holder = holderOf(dataDir);
      if (holder !== undefined && holder !== process.pid)
        throw new SettingsError(
          `Another Postledger (process ${holder}) uses ${dataDir}: stop it, or set DATA_DIR to another folder.`,
        );
      writeWhole(owner, identity);
    });
  });
  return () => {
    if (read(owner) === identity) rmSync(owner);
  };
}

/** Works in DATA_DIR, made when missing. SettingsError with what to do when there can be none, or nothing may be written there. */
export function inDataDir<T>(dataDir: string, work: () => T): T {
  try {
    makeFolder(dataDir);
    return work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
      throw new SettingsError(
        `${dataDir} may not be written by this user: give it the folder, or set DATA_DIR to another.`,
        { cause: error },
      );
    if (code === 'ENOTDIR' || code === 'EEXIST' || code === 'ENOENT')
      throw new SettingsError(`${dataDir} is not a folder: set DATA_DIR to one.`, { cause: error });
    if (code === 'ENOSPC') throw new SettingsError(`There is no space left for ${dataDir}.`, { cause: error });
    throw error;
  }
}

/**
 * Makes a folder, and those above it, when missing. Node's own way asks for ever where a folder that is there takes no new one and says that
 * something is missing, as /proc does.
 */
function makeFolder(folder: string): void {
  if (isFolder(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!isFolder(folder)) throw error;
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** The living process that has claimed DATA_DIR, if there is one. */
export function holderOf(dataDir: string): number | undefined {
  const [pid, birth] = read(join(dataDir, 'owner.pid')).split(' ');
  return pid && isThere(Number(pid), birth) ? Number(pid) : undefined;
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

/** Does what one process at a time may do in a folder that is there. A lock that is left, as by a kill, counts for a while. */
export function alone<T>(folder: string, work: () => T): T {
  const lock = join(folder, 'owner.lock');
  while (!isMade(lock)) {
    if (Date.now() - madeAt(lock) > LEFT_MS) rmSync(lock, { recursive: true, force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function isMade(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Now when it has just gone. */
const madeAt = (lock: string): number => statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();

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
