import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, ownPort, removeFolder } from '#testing';
import { runPrinted } from '../harness/printed-curl';
import { Program, ROOT } from '../harness/program';

const folder = () => mkdtempSync(join(tmpdir(), 'postledger-odd-'));
const start = (env: Record<string, string | undefined>, ...args: string[]) =>
  Program.start(['dist/apps/standalone/main.js', ...args], { PORT: '0', ...env });

it('carries no SQL into the build that is no source any more', () => {
  const made = folder();
  const built = join(made, 'built/libs/postgres/migrations');
  for (const of of [
    'source/libs/postgres/migrations',
    'source/apps/dashboard/public',
    'source/apps/standalone',
    'built/libs/postgres/migrations',
  ])
    mkdirSync(join(made, of), { recursive: true });
  writeFileSync(join(made, 'source/libs/postgres/migrations/0001_kept.sql'), '');
  writeFileSync(join(made, 'source/apps/standalone/help.txt'), '');
  writeFileSync(join(built, '0002_of_another_branch.sql'), '');
  const script = `import { copyAssets } from './apps/standalone/start.mjs'; copyAssets(...process.argv.slice(1));`;
  execFileSync(process.execPath, ['--input-type=module', '-e', script, join(made, 'source'), join(made, 'built')], {
    cwd: ROOT,
  });
  expect(readdirSync(built)).toEqual(['0001_kept.sql']);
  removeFolder(made);
});

it('installs nothing that an npm ci has put there, and what is not there yet, left out for this platform or another version', () => {
  const made = folder();
  mkdirSync(join(made, 'node_modules/a'), { recursive: true });
  const record = (file: string, packages: object) => writeFileSync(join(made, file), JSON.stringify({ packages }));
  const isInstalled = (packages?: object) => {
    if (packages) record('node_modules/.package-lock.json', packages);
    const script = `import { isInstalled } from './apps/standalone/start.mjs'; console.log(isInstalled(process.argv[1]));`;
    return execFileSync(process.execPath, ['--input-type=module', '-e', script, made], { cwd: ROOT, encoding: 'utf8' });
  };
  const a = { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } };
  record('package-lock.json', { '': { name: 'root' }, ...a, 'node_modules/b': { version: '2.0.0', optional: true } });
  expect([
    isInstalled(),
    isInstalled(a),
    isInstalled({ 'node_modules/a': { version: '1.0.1' } }),
    isInstalled({}),
  ]).toEqual(['false\n', 'true\n', 'false\n', 'false\n']);
  const forPlatform = (platform: string) => ({
    'node_modules/c': { version: '1.0.0', optional: true, os: [platform], cpu: [process.arch] },
  });
  record('package-lock.json', { ...a, ...forPlatform('elsewhere') });
  expect(isInstalled(a)).toBe('true\n');
  record('package-lock.json', { ...a, ...forPlatform(process.platform) });
  expect(isInstalled(a)).toBe('false\n');
  record('package-lock.json', a);
  removeFolder(join(made, 'node_modules/a'));
  expect(isInstalled(a)).toBe('false\n');
  removeFolder(made);
});

it.each([
  ['dist/apps/publisher/main.js', ['--help'], 0, /^npm run publisher +the app publisher alone, on port 3003/],
  [
    'dist/apps/publisher/main.js',
    ['--nope'],
    1,
    /^Postledger cannot start\. --nope is not an option: there is --help\.\n$/,
  ],
  [
    'apps/standalone/start.mjs',
    ['--fast'],
    1,
    /^Postledger cannot start\. --fast is not an option: there are --empty and --help\.\n$/,
  ],
  // As Node 22.11 is, which is newer than 20.19.
  [
    '--no-experimental-require-module',
    ['apps/standalone/start.mjs', '--build-only'],
    1,
    /^Postledger cannot start\. Node 20\.19, 22\.12 or newer is needed, and this is \d+\.\d+\.\d+\.\n$/,
  ],
  ['dist/apps/standalone/main.js', ['--help'], 0, /^Postledger: [^]* npm start -- --empty/],
  [
    'dist/apps/standalone/main.js',
    ['--build-only'],
    1,
    /^Postledger cannot start\. --build-only is not an option: there are --empty and --help\.\n$/,
  ],
  [
    'test/load/run.mjs',
    ['--quik'],
    1,
    /^--quik is not an option: there are --quick, --only, --engines, --write and --help\.\n$/,
  ],
  ['test/run.mjs', ['-h'], 0, /^npm test \[-- <jest options or paths>\] /],
  [
    'test/load/run.mjs',
    ['--only', 'latency', '--write'],
    1,
    /^--write makes the whole page anew: it goes without --only\.\n$/,
  ],
  ['test/load/run.mjs', ['--only', 'latency,nope'], 1, /^--only nope is no scenario: there are commands .* audit\.\n$/],
])('says of a program that runs alone what it takes: %s %j', (program, args, status, said) => {
  const env = { PATH: process.env['PATH'] };
  const run = spawnSync(process.execPath, [program, ...args], { cwd: ROOT, env, encoding: 'utf8', timeout: 30_000 });
  expect([run.status, run.stdout + run.stderr]).toEqual([status, expect.stringMatching(said)]);
});

describe('npm start at an odd moment, or with odd settings', () => {
  it('drains when its terminal is closed, and goes on when nobody reads what it says', async () => {
    const made = folder();
    const port = String(await ownPort());
    const program = Program.start(
      ['-c', '"$0" dist/apps/standalone/main.js | head -1', process.execPath],
      { DATA_DIR: made, PORT: port },
      ['sh'],
    );
    const url = `http://127.0.0.1:${port}`;
    const key = await eventually(() => readFileSync(join(made, 'api-key'), 'utf8').trim(), { within: 60_000 });
    await program.line(/./);
    const posts = async () =>
      (await fetch(`${url}/api/v1/posts`, { headers: { authorization: `Bearer ${key}` } })).json() as Promise<object>;
    await eventually(async () => expect(await posts()).toHaveProperty('data.length', 3), { within: 30_000 });
    process.kill(-program.pid, 'SIGHUP');
    await eventually(() => expect(existsSync(join(made, 'owner.pid'))).toBe(false), { within: 30_000 });
    await program.ended;
    removeFolder(made);
  });

  it('goes on when there is no space for what it says, also when its database ends', async () => {
    const made = folder();
    const port = String(await ownPort());
    const program = Program.start(
      ['-c', 'exec "$0" dist/apps/standalone/main.js --empty > /dev/full', process.execPath],
      { DATA_DIR: made, PORT: port, LOG_LEVEL: 'silent' },
      ['sh'],
    );
    const isReady = async () => expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
    await eventually(isReady, { within: 60_000 });
    const database = () => Number(readFileSync(join(made, 'postgres/cluster/postmaster.pid'), 'utf8').split('\n')[0]);
    const ended = database();
    process.kill(ended, 'SIGKILL');
    await eventually(() => expect(database()).not.toBe(ended), { within: 30_000 });
    await eventually(isReady, { within: 30_000 });
    expect(await program.stop()).toBe(0);
    removeFolder(made);
  });

  it('goes on when there is no space for its log', async () => {
    const log = `
      const log = require('./dist/libs/platform/logger.js').createLogger('full', 'info');
      for (const level of ['info', 'error', 'fatal']) log[level]('said');
      console.error('gone on');`;
    const program = Program.start(['-c', 'exec "$0" -e "$1" > /dev/full', process.execPath, log], {}, ['sh']);
    await program.line(/^gone on$/, 20_000);
    expect(await program.ended).toEqual({ code: 0, signal: null });
  });

  it('quotes any key for a shell', async () => {
    const made = folder();
    const program = start(
      { DATA_DIR: made, POSTLEDGER_API_KEY: `it's "$HOME"%2`.replaceAll(' ', '`'), METRICS_PORT: '0' },
      '--empty',
    );
    const [line] = await program.line(/^curl .*/);
    expect(runPrinted(line)).toMatchObject({ username: 'hello.world' });
    const [, metrics] = await program.line(/Metrics +(http:\S+)/);
    expect(await (await fetch(metrics!)).text()).toContain('postledger_row_security');
    const [, url] = await program.line(/API +(http:\/\/[^/]+)/);
    expect(await (await fetch(`${url}/metrics`)).json()).toMatchObject({ status: 404, code: 'ROUTE_NOT_FOUND' });
    expect(await program.stop()).toBe(0);
    removeFolder(made);
  });

  it('shows no key of the environment in production, and plays no sample', async () => {
    const made = folder();
    const key = 'a_key_that_no_log_should_hold_0123456789';
    const program = start({
      DATA_DIR: made,
      POSTLEDGER_MODE: 'production',
      POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 3).toString('base64'),
      POSTLEDGER_API_KEY: key,
    });
    const [line] = await program.line(/^curl .*/);
    expect(runPrinted(`POSTLEDGER_API_KEY=${key}; ${line}`)).toMatchObject({ username: 'hello.world' });
    await program.line(/^No sample/);
    await program.line(/^Ctrl-C drains/);
    expect(program.lines.join('\n')).not.toContain(key);
    expect(await program.stop()).toBe(0);
    removeFolder(made);
  });

  it('plays no sample whose posts nobody would publish', async () => {
    const made = folder();
    const program = start({ DATA_DIR: made, PUBLISHER: 'none' });
    await program.line(/^No sample: PUBLISHER is none/);
    await program.line(/^Ctrl-C drains/);
    expect(await program.stop()).toBe(0);
    removeFolder(made);
  });

  it('says of Ctrl-C nothing more once it came during the sample', async () => {
    const made = folder();
    const program = start({ DATA_DIR: made });
    await program.line(/The main job, once/);
    program.signal('SIGINT');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    await program.line(/^Stopped\.$/);
    expect(program.lines.filter((line) => line.startsWith('Ctrl-C'))).toEqual([]);
    removeFolder(made);
  });

  it('refuses a master key that is not the one of its database', async () => {
    const made = folder();
    const first = start({ DATA_DIR: made }, '--empty');
    await first.line(/^Ctrl-C drains/);
    expect(await first.stop()).toBe(0);
    const other = start({ DATA_DIR: made, POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 4).toString('base64') }, '--empty');
    await other.line(
      /^Postledger cannot start\. The secrets in this database were encrypted with another POSTLEDGER_SECRET_KEY/,
    );
    expect((await other.ended).code).toBe(1);
    removeFolder(made);
  });

  it('gives a folder to one of many that start on it at the same moment', async () => {
    const made = folder();
    const claim = `
      const { claimDataDir } = require('./dist/libs/platform/data-dir.js');
      while (Date.now() < Number(process.argv[2]));
      try { claimDataDir(process.argv[1]); console.log('mine'); } catch (error) { console.log(error.message); }
      process.stdin.resume();`;
    for (const left of [undefined, '', '4194999 1']) {
      if (left !== undefined) writeFileSync(join(made, 'owner.pid'), left);
      const at = String(Date.now() + 1_000);
      const all = Array.from({ length: 6 }, () => spawn(process.execPath, ['-e', claim, made, at], { cwd: ROOT }));
      const said = await Promise.all(all.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()));
      const owner = all[said.indexOf('mine')]!.pid;
      const refusal = `Another Postledger (process ${owner}) uses ${made}: stop it, or set DATA_DIR to another folder.`;
      expect(said.filter((sentence) => sentence !== 'mine')).toEqual(Array.from({ length: 5 }, () => refusal));
      for (const child of all) child.kill('SIGKILL');
      await Promise.all(all.map((child) => once(child, 'close')));
    }
    removeFolder(made);
  });

  it('makes its database anew after it was killed while it made it', async () => {
    const made = folder();
    const killed = start({ DATA_DIR: made }, '--empty');
    const isBegun = (name: string) =>
      name.startsWith('cluster') && existsSync(join(made, 'postgres', name, 'PG_VERSION'));
    await eventually(() => expect(readdirSync(join(made, 'postgres')).some(isBegun)).toBe(true), {
      within: 60_000,
      every: 1,
    });
    killed.kill();
    await killed.ended;
    const again = start({ DATA_DIR: made }, '--empty');
    await again.line(/is ready/);
    expect(readdirSync(join(made, 'postgres')).sort()).toEqual(expect.arrayContaining(['cluster', 'password']));
    expect(await again.stop()).toBe(0);
    removeFolder(made);
  });
});
