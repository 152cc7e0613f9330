import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopOrphan } from './leftovers';

const OURSELVES = { ids: {}, prefix: [] };

describe('what a server left in its folder', () => {
  let cluster: string;
  let left: string;
  let others: ChildProcess[];
  beforeEach(() => {
    others = [];
    cluster = realpathSync(mkdtempSync(join(tmpdir(), 'postledger-left-')));
    left = join(cluster, 'postmaster.pid');
  });
  afterEach(() => {
    for (const other of others) other.kill('SIGKILL');
    rmSync(cluster, { recursive: true, force: true });
  });

  const working = async (cwd: string): Promise<string> => {
    const other = spawn('sleep', ['100'], { cwd });
    others.push(other);
    await new Promise((started) => other.once('spawn', started));
    return String(other.pid);
  };
  /** How a server is asked to stop that it is told of by `number`; `script` is what its pg_ctl does then. */
  const asked = (number: string, script: string): string[] => {
    const [pgCtl, log] = [join(cluster, 'pg_ctl'), join(cluster, 'asked')];
    writeFileSync(left, `${number}\nand more\n`);
    writeFileSync(pgCtl, `#!/bin/sh\necho "$5" >> "${log}"\n${script}\n`, { mode: 0o755 });
    stopOrphan(cluster, pgCtl, OURSELVES);
    return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  };

  it('is a server that is asked to stop, and is not asked twice when it does', async () => {
    expect(asked(await working(cluster), '')).toEqual(['fast']);
  });

  it('is one that is made to stop when it does not do so by itself', async () => {
    expect(asked(await working(cluster), 'exit 1')).toEqual(['fast', 'immediate']);
  });

  it('is nothing that could be asked once it has gone meanwhile', async () => {
    expect(asked(await working(cluster), `rm "${left}"; exit 1`)).toEqual(['fast']);
  });

  it('is a number that tells nothing where nobody works', async () => {
    expect([asked(await working(tmpdir()), ''), existsSync(left)]).toEqual([[], false]);
  });

  it('is a number that may be somebody else’s where only its processes work that it outlived', async () => {
    await working(cluster);
    expect([asked(await working(tmpdir()), ''), existsSync(left)]).toEqual([[], true]);
  });
});
