// The processes of a run: a PostgreSQL of its own, two of each app behind the injector, and what is done to them.
import { spawn } from 'node:child_process';
import { appendFileSync, createWriteStream, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';

const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, '../..');
const require = createRequire(import.meta.url);
export const dist = (path) => require(join(root, 'dist', path));
export const KEY = 'key_of_the_faults_0123456789abcdefgh';
const DATABASE = 'postledger';
const APPS = ['api', 'projector', 'delivery', 'publisher'];

const freePort = () =>
  new Promise((told) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => told(port));
    });
  });

/** A PostgreSQL that can be crashed: what was not flushed yet is lost, as on a machine that goes down. */
export async function openDatabase(folder) {
  const { EmbeddedServer } = dist('libs/postgres/embedded/embedded-server.js');
  const port = await freePort();
  const begin = () => EmbeddedServer.start({ folder, port, flags: { fsync: 'off', max_connections: '300' } });
  let server = await begin();
  await server.ensureDatabase(DATABASE);
  return {
    url: server.url(DATABASE),
    get pid() {
      return server.pid;
    },
    async crash(awayMs) {
      process.kill(server.pid, 'SIGKILL');
      await pause(awayMs);
      server = await begin();
    },
    /** All of its processes stand still, or go on. */
    freeze(isFrozen) {
      const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .map(Number);
      for (const pid of [server.pid, ...children]) {
        try {
          process.kill(pid, isFrozen ? 'SIGSTOP' : 'SIGCONT');
        } catch (error) {
          if (error.code !== 'ESRCH') throw error;
        }
      }
    },
    close: () => server.stop(),
  };
}

/** One process of an app; it has the same port in all its lives. */
class Process {
  life = 0;
  isWanted = true;
  frozen = false;

  constructor(name, no, port, stage) {
    Object.assign(this, { name, no, port, stage, url: `http://127.0.0.1:${port}` });
  }

  start() {
    const { env, seed, folder, say, faults } = this.stage;
    this.life++;
    const full = `${this.name}-${this.no}`;
    const child = spawn(
      process.execPath,
      ['-r', join(here, 'inject.cjs'), join(root, `dist/apps/${this.name}/main.js`)],
      {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env.PATH,
          ...env,
          PORT: String(this.port),
          FAULTS: JSON.stringify({ seed, name: `${full} ${this.life}`, ...faults }),
        },
      },
    );
    const log = createWriteStream(join(folder, `${full}.log`), { flags: 'a' });
    log.write(`--- life ${this.life} ${new Date().toISOString()} pid ${child.pid}\n`);
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    this.child = child;
    this.told = undefined;
    this.ended = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal, told: this.told })));
    void this.ended.then(async ({ code, signal, told }) => {
      if (!told) say(`${full} ended by itself (${code ?? signal})`);
      if (this.isWanted && !told) {
        await pause(500);
        this.start();
      }
    });
  }

  signal(name) {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(name);
  }

  async kill() {
    this.told = 'SIGKILL';
    this.signal('SIGKILL');
    await this.ended;
  }

  /** SIGTERM; how long it took, in milliseconds, and how it ended. */
  async stop() {
    this.told = 'SIGTERM';
    const began = performance.now();
    this.signal('SIGTERM');
    const over = setTimeout(() => this.signal('SIGKILL'), 60_000);
    const { code, signal } = await this.ended;
    clearTimeout(over);
    return { ms: Math.round(performance.now() - began), code, signal };
  }

  async health() {
    try {
      const answer = await fetch(`${this.url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      return { status: 0, text: error.message };
    }
  }
}

export async function openStage({ seed, folder, database, env, faults }) {
  const began = performance.now();
  const events = join(folder, 'events.log');
  const say = (line) => {
    const text = `${((performance.now() - began) / 1000).toFixed(1).padStart(6)} ${line}`;
    appendFileSync(events, `${text}\n`);
    console.log(text);
  };
  const stage = {
    seed,
    folder,
    faults,
    say,
    processes: [],
    env: {
      POSTLEDGER_MODE: 'sandbox',
      POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 3).toString('base64'),
      POSTLEDGER_API_KEY: KEY,
      RETRY_SCALE: '0.0001',
      LOG_LEVEL: 'info',
      DATABASE_URL: database.url,
      ...env,
    },
    of: (name) => stage.processes.filter((one) => one.name === name),
    async ready(within) {
      for (const deadline = performance.now() + within; ; await pause(100)) {
        const states = await Promise.all(stage.processes.map((one) => one.health()));
        const bad = stage.processes.flatMap((one, n) =>
          states[n].status === 200 ? [] : [`${one.name}-${one.no}: ${states[n].status} ${states[n].text}`],
        );
        if (bad.length === 0) return [];
        if (performance.now() > deadline) return bad;
      }
    },
    /** From now on no request to an engine is slow or cut. */
    calm() {
      for (const one of stage.processes) one.signal('SIGUSR2');
    },
    /** Ends all of them: how long each took, and how it ended. */
    async close() {
      const ends = await Promise.all(
        stage.processes.map(async (one) => {
          one.isWanted = false;
          return { name: `${one.name}-${one.no}`, ...(await one.stop()) };
        }),
      );
      return ends;
    },
    killAll() {
      for (const one of stage.processes) {
        one.isWanted = false;
        one.told = 'SIGKILL';
        one.signal('SIGKILL');
      }
    },
  };
  for (const name of APPS)
    for (const no of [1, 2]) stage.processes.push(new Process(name, no, await freePort(), stage));
  for (const one of stage.processes) one.start();
  return stage;
}
