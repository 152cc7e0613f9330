import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialise } from './cluster';

const OURSELVES = { ids: {}, prefix: [] };

describe('a cluster that is made', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'postledger-cluster-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const initdb = (script: string): string => {
    const file = join(folder, 'initdb');
    writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return file;
  };

  it('says why, and not how it was tidied up', () => {
    const full = 'initdb: error: could not write file "x": No space left on device';
    const script = initdb(
      `echo 'performing …' >&2; echo '${full}' >&2; echo 'initdb: removing data directory "x"' >&2; exit 1`,
    );
    expect(() => initialise(folder, join(folder, 'cluster'), script, OURSELVES)).toThrow(
      `The embedded database could not be made in ${folder}: ${full}`,
    );
  });

  it('is on the disk when it gets its name', () => {
    const script = initdb(`mkdir "$2"; echo 18 > "$2/PG_VERSION"; echo "$@" > "${folder}/asked"`);
    const password = initialise(folder, join(folder, 'cluster'), script, OURSELVES);
    const asked = readFileSync(join(folder, 'asked'), 'utf8').split(/\s/);
    expect(asked.slice(0, 2)).toEqual(['-D', `${folder}/cluster.${process.pid}`]);
    expect(asked.filter((it) => ['-N', '--no-sync'].includes(it))).toEqual([]);
    expect(initialise(folder, join(folder, 'cluster'), 'no-initdb', OURSELVES)).toBe(password);
  });

  it('is entered by a password that its owner alone reads', () => {
    const password = initialise(folder, join(folder, 'cluster'), initdb('mkdir "$2"'), OURSELVES);
    expect(readFileSync(join(folder, 'password'), 'utf8').trim()).toBe(password);
    expect(statSync(join(folder, 'password')).mode & 0o777).toBe(0o600);
  });

  it('takes away what is left of one whose making was killed, and nothing else', () => {
    for (const name of ['cluster.17', 'cluster.old']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'cluster.17/PG_VERSION'), '18');
    initialise(folder, join(folder, 'cluster'), initdb('mkdir "$2"'), OURSELVES);
    expect(readdirSync(folder).sort()).toEqual(['cluster', 'cluster.old', 'initdb', 'password']);
  });

  it('is not taken over from another version of PostgreSQL', () => {
    mkdirSync(join(folder, 'cluster'));
    writeFileSync(join(folder, 'cluster/PG_VERSION'), '17\n');
    writeFileSync(join(folder, 'password'), 'x');
    expect(() => initialise(folder, join(folder, 'cluster'), 'no-initdb', OURSELVES)).toThrow(
      `${folder}/cluster was made by PostgreSQL 17, and this build runs 18`,
    );
  });

  it('leaves a folder in its place alone', () => {
    mkdirSync(join(folder, 'cluster'));
    writeFileSync(join(folder, 'cluster/notes'), 'mine');
    expect(() => initialise(folder, join(folder, 'cluster'), initdb('mkdir "$2"'), OURSELVES)).toThrow(
      `${folder}/cluster holds no database and is not empty`,
    );
    expect(existsSync(join(folder, 'cluster/notes'))).toBe(true);
  });
});
