import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '#testing';
import { reachEmbedded, takeDataDir } from './reach-embedded';

const NOBODY = 65_534;
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

it('tells a database that this user may not see from one that is not there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-hidden-'));
  const cluster = join(folder, 'postgres/cluster');
  await expect(reachEmbedded(folder)).rejects.toThrow(`There is no embedded database in ${folder}: set DATA_DIR`);
  mkdirSync(cluster, { recursive: true });
  writeFileSync(join(cluster, 'PG_VERSION'), '18');
  chmodSync(cluster, 0);
  // Root may see everything; it looks before anybody else has a turn.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid!(NOBODY);
  const reached = reachEmbedded(folder);
  if (isRoot) process.seteuid!(0);
  await expect(reached).rejects.toThrow(`${cluster}/PG_VERSION may not be read by this user`);
  chmodSync(cluster, 0o700);
  removeFolder(folder);
});
