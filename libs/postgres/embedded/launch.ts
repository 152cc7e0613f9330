import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { sqlStateOf } from '../sql-state';
import { EmbeddedServerError } from './embedded-server-error';
import type { RunAs } from './run-as';

/**
 * Stops the server when our end of the pipe closes, however we end: a SIGKILL of this process leaves no orphan.
 * The server is in a session of its own, so that Ctrl-C reaches us alone and there is a database to drain into.
 */
const SUPERVISOR =
  'exec 3<&0; "$@" </dev/null & pid=$!; trap "kill -INT $pid" TERM INT; (cat <&3 >/dev/null 2>&1; kill -INT $pid) 2>/dev/null & wait $pid; code=$?; kill $! 2>/dev/null; exit $code';

/** PostgreSQL's hint after "pre-existing shared memory block is still in use". */
const STILL_IN_USE = /Terminate any old server processes/;
/** SQLSTATE of a login that is refused for its password. */
const WRONG_PASSWORD = '28P01';
/** SQLSTATE of a login that comes while the server recovers from a kill. That takes as long as its log is. */
const RECOVERING = '57P03';
/** What ended a server, and not what it said to those who came too early. */
const LAST_WORDS = /(?:FATAL|PANIC): +(?!the database system is)(.*)/g;
/** Whoever else has got the port may never answer. */
const ATTEMPT_MS = 5_000;
/** A process of a killed server that is still there after so long does not end by itself. */
const LATE_MS = 15_000;

export interface Launch {
  readonly folder: string;
  /** The server and its arguments. */
  readonly command: readonly string[];
  readonly port: number;
  readonly password: string;
  readonly user: RunAs;
  /** A server that neither answers nor says that it recovers for so long does not start. */
  readonly silentMs: number;
  readonly onLog: ((line: string) => void) | undefined;
}

/** A supervised server, and the process id of its postmaster. */
export interface Launched {
  readonly child: ChildProcess;
  readonly pid: number;
}

/** Our own server speaks no TLS, whatever PGSSLMODE asks of servers elsewhere. */
export const urlOf = (password: string, host: string, database: string): string =>
  `postgres://postgres:${password}@${host}/${database}?sslmode=disable`;

/**
 * The server, when it answers. Where the postmaster was killed, others of its processes may end a moment later, and no new server starts
 * before they have. Throws an EmbeddedServerError with its last words when it ends instead.
 */
export async function launchServer(launch: Launch): Promise<Launched> {
  for (const deadline = performance.now() + LATE_MS; ;) {
    try {
      return await launched(launch);
    } catch (error) {
      if (!STILL_IN_USE.test(String((error as Error).cause)) || performance.now() > deadline) throw error;
      await pause(100);
    }
  }
}

async function launched(launch: Launch): Promise<Launched> {
  const { folder, command, user, onLog } = launch;
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'postgres-supervisor', ...command], {
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
  (child.stderr as Socket).unref();
  // Not at its exit: its last words may still be on their way then, and they say why.
  let isGone = false;
  child.once('close', () => (isGone = true));
  try {
    await answers(launch, () => isGone, said);
  } catch (error) {
    child.stdin!.destroy();
    throw error;
  }
  return { child, pid: Number(readFileSync(join(folder, 'cluster/postmaster.pid'), 'utf8').split('\n')[0]) };
}

async function answers(
  { folder, port, password, silentMs }: Launch,
  gone: () => boolean,
  said: readonly string[],
): Promise<void> {
  for (let heard = performance.now(); ;) {
    const connectionString = urlOf(password, `127.0.0.1:${port}`, 'postgres');
    const client = new Client({ connectionString, connectionTimeoutMillis: ATTEMPT_MS });
    client.on('error', () => undefined);
    const failure = await client.connect().then(
      () => undefined,
      (error: Error) => error,
    );
    await client.end().catch(() => undefined);
    if (!failure) return;
    const state = sqlStateOf(failure);
    if (state === WRONG_PASSWORD)
      throw new EmbeddedServerError(
        `The embedded database does not take the password in ${join(folder, 'password')}: bring back the file that was made with it, or set DATA_DIR to another folder.`,
        { cause: failure },
      );
    if (state === RECOVERING) heard = performance.now();
    if (gone() || performance.now() - heard > silentMs) throw ended(said.join('').trim() || failure.message);
    await pause(state === RECOVERING ? 100 : 20);
  }
}

function ended(said: string): EmbeddedServerError {
  const [, reason] = [...said.matchAll(LAST_WORDS)].at(-1) ?? [];
  return new EmbeddedServerError(
    `The embedded database did not start: ${(reason ?? said.split('\n').at(-1)!).replace(/\.?$/, '.')}`,
    { cause: new Error(said) },
  );
}
