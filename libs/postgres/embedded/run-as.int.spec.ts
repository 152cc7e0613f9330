import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseUser } from './run-as';

const isRoot = process.getuid?.() === 0;
const OWNER = { uid: 54_321, gid: 54_322 };
const ANOTHER = { uid: 54_323, gid: 54_324 };

describe('the user that the embedded server runs as', () => {
  let folder: string;
  let cluster: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'postledger-user-'));
    chmodSync(folder, 0o755);
    cluster = join(folder, 'cluster');
    mkdirSync(cluster, { mode: 0o700 });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is the owner of the cluster that is there, also when root starts it, and the folder stays the owner’s', () => {
    if (isRoot) {
      chownSync(cluster, OWNER.uid, OWNER.gid);
      // As a start by root left it that took another user.
      chownSync(folder, ANOTHER.uid, ANOTHER.gid);
    }
    expect(chooseUser('/bin/sh', folder, cluster)).toEqual({ ids: isRoot ? OWNER : {}, prefix: [] });
    const { uid, gid } = statSync(folder);
    if (isRoot) expect({ uid, gid }).toEqual(OWNER);
  });

  it('is named when it cannot reach its cluster, and nothing is given to anybody else', () => {
    if (!isRoot) return expect(chooseUser('/bin/sh', folder, cluster).ids).toEqual({});
    for (const path of [folder, cluster]) chownSync(path, OWNER.uid, OWNER.gid);
    expect(() => chooseUser('/root/nowhere', folder, cluster)).toThrow(
      `belongs to the user with the id ${OWNER.uid}, who cannot reach it`,
    );
    expect(statSync(folder).uid).toBe(OWNER.uid);
  });
});
