import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '#testing';
import { claimDataDir, holderOf } from './data-dir';

const hasProc = existsSync('/proc/self/stat');

describe('the owner of a data folder', () => {
  let folder: string;
  let owner: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'postledger-data-'));
    owner = join(folder, 'owner.pid');
  });
  afterEach(() => removeFolder(folder));

  it('is the process that claimed it, until it gives it back', () => {
    const release = claimDataDir(folder);
    expect(holderOf(folder)).toBe(process.pid);
    release();
    expect(holderOf(folder)).toBe(undefined);
    expect(existsSync(owner)).toBe(false);
  });

  it('is nobody when it ended without giving it back', () => {
    for (const left of ['', '4194999', '4194999 12345']) {
      writeFileSync(owner, left);
      expect(holderOf(folder)).toBe(undefined);
    }
  });

  it('is nobody when it has ended and nobody has asked for its end yet', () => {
    if (!hasProc) return;
    const { pid } = spawn('true');
    const fields = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    // As long as this loops, nobody asks.
    while (fields()[0] !== 'Z');
    writeFileSync(owner, `${pid} ${fields()[19]}`);
    expect(holderOf(folder)).toBe(undefined);
  });

  it('may claim it again, as after a start in a container that was killed under the same number', () => {
    writeFileSync(owner, String(process.pid));
    const release = claimDataDir(folder);
    expect(holderOf(folder)).toBe(process.pid);
    release();
  });

  it('gives back nothing that has become another’s', () => {
    const release = claimDataDir(folder);
    writeFileSync(owner, String(process.ppid));
    release();
    expect(holderOf(folder)).toBe(process.ppid);
  });

  it('leaves a folder alone that an other version made', () => {
    writeFileSync(join(folder, 'layout'), '2\n');
    expect(() => claimDataDir(folder)).toThrow(`${folder} was made by another version of Postledger (layout 2,`);
    expect(existsSync(owner)).toBe(false);
  });

  it('is nobody when its number is of another process by now', () => {
    const other = process.ppid;
    writeFileSync(owner, String(other));
    expect(() => claimDataDir(folder)).toThrow(`Another Postledger (process ${other}) uses ${folder}`);
    writeFileSync(owner, `${other} 1`);
    if (!hasProc) return;
    claimDataDir(folder)();
    claimDataDir(folder);
    const [, birth] = readFileSync(owner, 'utf8').split(' ');
    expect(Number(birth)).toBeGreaterThan(1);
  });
});
