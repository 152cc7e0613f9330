import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '#testing';
import { takeDataDir } from './reach-embedded';

const hasProc = existsSync('/proc/self/stat');

it('takes a data folder once no database runs there that cannot be seen, as in another container', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-taken-'));
  mkdirSync(join(folder, 'postgres/cluster'), { recursive: true });
  const unseen = createServer((socket) => socket.resume());
  await new Promise<void>((done) => unseen.listen(join(folder, 'postgres/.s.PGSQL.5432'), done));
  if (hasProc) {
    await expect(takeDataDir(folder, 200)).rejects.toThrow(/A database that cannot be seen from here.* runs in/);
    expect(existsSync(join(folder, 'owner.pid'))).toBe(false);
  }
  const taking = takeDataDir(folder);
  await new Promise((closed) => unseen.close(closed));
  (await taking)();
  removeFolder(folder);
});
