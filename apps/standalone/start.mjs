// The front door: needs Node alone. Installs what is missing, builds what is stale, then hands over to the built program.
import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const HELP = 'apps/standalone/help.txt';
const OPTIONS = ['--empty', '--build-only'];

const say = (sentence) => process.stderr.write(`${sentence}\n`);
const fail = (sentence) => {
  say(`Postledger cannot start. ${sentence}`);
  process.exit(1);
};

/** Runs a program with a line of progress every two seconds; its output is shown only when it fails. */
function run(what, command, args, env = process.env) {
  return new Promise((done) => {
    const started = Date.now();
    const seconds = () => Math.round((Date.now() - started) / 1000);
    const said = [];
    // One line that counts where a person looks on, a line now and then where a file does.
    const isWatched = process.stderr.isTTY === true;
    const tick = () =>
      process.stderr.write(`${isWatched ? '\r' : ''}  … ${what} (${seconds()} s)${isWatched ? '' : '\n'}`);
    const timer = setInterval(tick, isWatched ? 1_000 : 5_000);
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(chunk));
    child.on('error', (error) => said.push(Buffer.from(error.message)));
    child.on('close', (code) => {
      clearInterval(timer);
      if (isWatched) process.stderr.write('\r\x1b[K');
      if (code === 0) return done(seconds());
      say(Buffer.concat(said).toString().trim().split('\n').slice(-30).join('\n'));
      fail(`${what} failed; the lines above say why.`);
    });
  });
}

/** npm keeps its downloads in the home folder; a user that has none, such as nobody, keeps them here. */
function cache() {
  const own = process.env.npm_config_cache ?? join(homedir(), '.npm');
  try {
    mkdirSync(own, { recursive: true });
    accessSync(own, constants.W_OK);
    return {};
  } catch {
    return { npm_config_cache: join(root, '.cache/npm') };
  }
}

/** Whether an optional package is the one for this platform, such as its PostgreSQL. One that asks for a C library as well may be for another. */
const isForHere = ({ os, cpu, libc }) => os?.includes(process.platform) && cpu?.includes(process.arch) && !libc;

/**
 * Whether node_modules holds what the lock file names, by whosever `npm ci`. npm writes its own record when all is there, and
 * a folder may be gone since; what is optional is there only for this platform.
 */
export function isInstalled(folder = root) {
  const record = join(folder, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const [there, wanted] = [record, join(folder, 'package-lock.json')].map(
    (file) => JSON.parse(readFileSync(file, 'utf8')).packages,
  );
  return Object.entries(wanted).every(
    ([path, one]) =>
      path === '' ||
      (there[path]
        ? there[path].version === one.version &&
          there[path].integrity === one.integrity &&
          existsSync(join(folder, path))
        : (one.optional || one.devOptional) && !isForHere(one)),
  );
}

/** npm ci when node_modules is missing, or is not what the lock file names; all of it, whatever the user's npm leaves out. */
export async function install() {
  if (isInstalled()) return;
  say('Installing packages (once)');
  const took = await run(
    'installing packages',
    'npm',
    ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      ...process.env,
      ...cache(),
      NODE_ENV: '',
    },
  );
  say(`Packages installed in ${took} s`);
}

const SOURCES = ['apps', 'libs', 'package.json', 'tsconfig.json'];
/** Newest change below a path: enough to know that a build is stale. */
function newest(path) {
  const info = statSync(path);
  if (!info.isDirectory()) return info.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), info.mtimeMs);
}

/** What the compiler does not carry over: SQL, the pages' files and the help. What is no source any more goes: a migration that was left would be applied. */
export function copyAssets(source = root, built = join(root, 'dist')) {
  for (const [from, pattern] of [
    ['libs/postgres/migrations', /\.sql$/],
    ['apps/dashboard/public', /./],
  ]) {
    rmSync(join(built, from), { recursive: true, force: true });
    cpSync(join(source, from), join(built, from), {
      recursive: true,
      filter: (path) => statSync(path).isDirectory() || pattern.test(path),
    });
  }
  cpSync(join(source, HELP), join(built, HELP));
}

/** tsc when a source is newer than the last build. */
export async function build() {
  const stamp = join(root, 'dist/.built');
  const sources = Math.max(...SOURCES.map((path) => newest(join(root, path))));
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= sources && Number(readFileSync(stamp, 'utf8')) === sources)
    return;
  say('Building');
  mkdirSync(join(root, 'dist'), { recursive: true });
  const took = await run('building', process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    'apps/tsconfig.build.json',
  ]);
  copyAssets();
  writeFileSync(stamp, String(sources));
  say(`Built in ${took} s`);
}

/** Refuses, in one sentence, a Node that cannot require modules of ECMAScript, which NestJS is made of: the first releases of 22 are newer than 20.19 and cannot. */
export function checkNode() {
  if (process.features.require_module !== true)
    fail(`Node 20.19, 22.12 or newer is needed, and this is ${process.versions.node}.`);
}

async function main() {
  checkNode();
  try {
    await install();
    await build();
  } catch (error) {
    if (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS')
      fail(`${error.path} may not be written by this user: give it the folder, or start as its owner.`);
    throw error;
  }
  if (process.argv.includes('--build-only')) return;
  process.argv[1] = join(root, 'dist/apps/standalone/main.js');
  await import(pathToFileURL(process.argv[1]).href);
}

if (process.argv[1] && pathToFileURL(process.argv[1]).href === import.meta.url) {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(readFileSync(join(root, HELP), 'utf8'));
    process.exit(0);
  }
  // An install and a build are too long to find that an option was mistyped.
  const unknown = process.argv.slice(2).find((arg) => !OPTIONS.includes(arg));
  if (unknown !== undefined) fail(`${unknown} is not an option: there are --empty and --help.`);
  await main();
}
