// What every scenario stands on: the system under test, receivers and generators as processes of their own.
import { fork, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
export const KEY = 'bench_key_of_the_first_workspace_0123456789';

const TICK = 100;
/** Seconds of one process, user and system; 0 when it is gone. */
export function cpuOf(pid, withChildren = false) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    const ticks = fields.slice(11, withChildren ? 15 : 13).map(Number);
    return ticks.reduce((sum, each) => sum + each, 0) / TICK;
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return 0;
    throw error;
  }
}
/** The same, with all processes that it started. */
export const cpuBelow = (pid) => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  return children.reduce((sum, child) => sum + cpuOf(child), cpuOf(pid, true));
};

/** The standalone on a folder of its own, with its database URL for feeders. */
export async function openSystem(env = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'postledger-bench-'));
  const child = spawn(
    process.execPath,
    ['--max-semi-space-size=32', join(root, 'dist/apps/standalone/main.js'), '--empty'],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        DATA_DIR: dataDir,
        PORT: '0',
        POSTLEDGER_API_KEY: KEY,
        POSTLEDGER_MODE: 'sandbox',
        ...env,
      },
    },
  );
  const url = await new Promise((done, fail) => {
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
      const found = /API\s+(http:\/\/\S+)\/api\/v1/.exec(said);
      if (found) done(found[1]);
    });
    child.once('exit', () => fail(new Error(`The system ended: ${said}`)));
  });
  const cluster = join(dataDir, 'postgres/cluster/postmaster.pid');
  const port = readFileSync(cluster, 'utf8').split('\n')[3];
  const password = readFileSync(join(dataDir, 'postgres/password'), 'utf8').trim();
  const call = async (method, path, body, key = KEY) => {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  };
  return {
    url,
    call,
    pid: child.pid,
    dataDir,
    eventStoreUrl: env.EVENT_STORE_URL,
    databaseUrl: `postgres://postgres:${password}@127.0.0.1:${port}/postledger`,
    /** Processor seconds used so far: by the apps, and by the database's processes. */
    cpu: () => ({ apps: cpuOf(child.pid), database: cpuBelow(Number(readFileSync(cluster, 'utf8').split('\n')[0])) }),
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024,
    async close() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await new Promise((done) => (child.exitCode === null ? child.once('exit', done) : done()));
      clearTimeout(timer);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const answerOf = (child) => new Promise((done) => child.once('message', done));

export async function openReceiver() {
  const child = fork(join(here, 'receiver.mjs'));
  const { port } = await answerOf(child);
  const ask = async (message) => {
    const answer = answerOf(child);
    child.send(message);
    return answer;
  };
  return {
    url: (path) => `http://127.0.0.1:${port}/${path}`,
    port,
    count: async () => (await ask({})).count,
    facts: () => ask({}),
    /** From now on the paths that begin with /fickle answer nothing (or answer again). */
    hang: (hangs) => ask({ ask: 'hang', hangs }),
    reset: (note = false) => ask({ ask: 'reset', note }),
    arrivals: async () => (await ask({ ask: 'arrivals' })).arrivals,
    close: () => child.disconnect(),
  };
}

/** A fresh process of `file` that has made itself ready for one job: `run` starts it and gives its result, and when it was `started`. */
export async function ready(file, job) {
  const child = fork(join(here, file));
  const failed = new Promise((_, fail) => child.once('exit', (code) => fail(new Error(`${file} ended with ${code}`))));
  failed.catch(() => undefined);
  const ask = (message) => {
    const answer = answerOf(child);
    child.send(message);
    return Promise.race([answer, failed]);
  };
  await ask(job);
  return {
    async run() {
      const started = performance.now();
      const result = await ask({ go: true });
      child.disconnect();
      return { started, ...result };
    },
  };
}

/** Runs one job in a fresh generator process. */
export async function generate(job) {
  const generator = await ready('generator.mjs', job);
  const result = await generator.run();
  if (result.failed > 0)
    throw new Error(
      `${result.failed} of ${result.failed + result.done} commands failed; the first: ${result.firstFailure}`,
    );
  return result;
}

/** Waits until `check` is true; throws after `within` ms. */
export async function until(what, check, within = 120_000) {
  for (const deadline = Date.now() + within; ;) {
    if (await check()) return;
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${within} ms`);
    await new Promise((again) => setTimeout(again, 20));
  }
}

/** `n` workspaces, each with an account and (when a receiver is given) one endpoint on it: a command gives one delivery. */
export async function tenants(system, n, receiver, pathOf = (i) => `endpoint-${i}`) {
  return Promise.all(
    Array.from({ length: n }, async (_, i) => {
      const path = pathOf(i);
      const { id, apiKey } = await system.call('POST', '/workspaces', { name: `bench ${i}` });
      const account = await system.call(
        'POST',
        '/accounts',
        { platform: 'instagram', username: `bench${i}`, profileId: 'prof_bench' },
        apiKey,
      );
      if (receiver)
        await system.call(
          'POST',
          '/webhooks/endpoints',
          { targetUrl: receiver.url(path), eventTypes: ['post.scheduled'], contract: 'core' },
          apiKey,
        );
      return { key: apiKey, workspace: id, account: account.id, path: `/${path}` };
    }),
  );
}

export const spread = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return { min: sorted[0], median: sorted[Math.floor(sorted.length / 2)], max: sorted.at(-1) };
};

export const percentile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))];
