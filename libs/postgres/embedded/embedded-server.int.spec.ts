import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '#testing';
import { Database } from '../database';
import { EmbeddedServer } from './embedded-server';

describe('the embedded server', () => {
  let base: string;
  let server: EmbeddedServer | undefined;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'postledger-embedded-'));
    // As root the server runs as another user, who must be let in.
    chmodSync(base, 0o755);
  });
  afterEach(async () => {
    await server?.stop();
    rmSync(base, { recursive: true, force: true });
  });

  const wayIn = async (url: string) => {
    const database = new Database(url);
    try {
      const [row] = await database.query<{ by: string | null }>('select inet_client_addr()::text as by');
      return row!.by === null ? 'socket' : 'loopback';
    } finally {
      await database.end();
    }
  };

  /** Process id of the one without which there is no shutdown. */
  const checkpointer = async (of: EmbeddedServer): Promise<number> => {
    const database = new Database(of.url());
    const [row] = await database.query<{ pid: number }>(
      "select pid from pg_stat_activity where backend_type = 'checkpointer'",
    );
    await database.end();
    return row!.pid;
  };

  it('lets its owner in by a socket and others by loopback, whatever its folder is called', async () => {
    const folder = join(base, 'Größe & 100% Data');
    mkdirSync(folder);
    writeFileSync(join(folder, '.s.PGSQL.1'), 'left by one that was killed');
    server = await EmbeddedServer.start({ folder });
    expect([await wayIn(server.localUrl()), await wayIn(server.url())]).toEqual(['socket', 'loopback']);
    expect(existsSync(join(folder, '.s.PGSQL.1'))).toBe(false);
  });

  it.each(['a folder, with a comma', `long-${'x'.repeat(120)}`])(
    'lets its owner in by loopback from %s',
    async (name) => {
      const folder = join(base, name);
      server = await EmbeddedServer.start({ folder });
      expect(await wayIn(server.localUrl())).toBe('loopback');
    },
  );

  it('is reached without TLS, whatever the environment asks of servers elsewhere', async () => {
    process.env['PGSSLMODE'] = 'require';
    try {
      server = await EmbeddedServer.start({ folder: join(base, 'plain') });
      await server.ensureDatabase('kept');
      expect([await wayIn(server.localUrl('kept')), await wayIn(server.url())]).toEqual(['socket', 'loopback']);
    } finally {
      delete process.env['PGSSLMODE'];
    }
  });

  it('says which file is not its password, or is missing', async () => {
    const folder = join(base, 'locked');
    await (await EmbeddedServer.start({ folder })).stop();
    writeFileSync(join(folder, 'password'), 'another\n');
    await expect(EmbeddedServer.start({ folder })).rejects.toThrow(`does not take the password in ${folder}/password`);
    await eventually(() => expect(existsSync(join(folder, 'cluster/postmaster.pid'))).toBe(false));
    rmSync(join(folder, 'password'));
    await expect(EmbeddedServer.start({ folder })).rejects.toThrow(`${folder}/password is missing`);
  });

  it('stops also when its shutdown hangs, and starts again', async () => {
    const folder = join(base, 'hanging');
    const hanging = await EmbeddedServer.start({ folder, patienceMs: 100 });
    await hanging.ensureDatabase('kept');
    process.kill(await checkpointer(hanging), 'SIGSTOP');
    await hanging.stop();
    server = await EmbeddedServer.start({ folder });
    expect(await wayIn(server.url('kept'))).toBe('loopback');
  });

  it('starts after one that was killed when the last of its processes has ended', async () => {
    const folder = join(base, 'killed');
    const killed = await EmbeddedServer.start({ folder });
    const late = await checkpointer(killed);
    process.kill(late, 'SIGSTOP');
    process.kill(killed.pid, 'SIGKILL');
    const said: string[] = [];
    const starting = EmbeddedServer.start({ folder, onLog: (line) => said.push(line) });
    starting.catch(() => undefined);
    await eventually(() => expect(said.join()).toContain('is still in use'));
    process.kill(late, 'SIGCONT');
    server = await starting;
    expect(await wayIn(server.url())).toBe('loopback');
  });

  it('waits for one that recovers, however long it takes', async () => {
    const folder = join(base, 'recovering');
    await (await EmbeddedServer.start({ folder })).stop();
    const { uid, gid } = statSync(join(folder, 'cluster'));
    const wish = join(folder, 'cluster/recovery.signal');
    writeFileSync(wish, '');
    chownSync(wish, uid, gid);
    const said: string[] = [];
    const slow = { restore_command: 'sleep 1; false', hot_standby: 'off' };
    server = await EmbeddedServer.start({ folder, silentMs: 500, flags: slow, onLog: (line) => said.push(line) });
    expect(said.join()).toContain('is starting up');
    expect(await wayIn(server.url())).toBe('loopback');
  });

  it('says what ended a start, and not how it was tidied up', async () => {
    const folder = join(base, 'refused');
    const taken = createServer((socket) => socket.destroy());
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    const { port } = taken.address() as { port: number };
    const reason = 'The embedded database did not start: could not create any TCP/IP sockets.';
    await expect(EmbeddedServer.start({ folder, port })).rejects.toThrow(reason);
    taken.close();
  });

  it('is started again, on its port, when it ends without being told to, and is down once it is told', async () => {
    const folder = join(base, 'kept up');
    server = await EmbeddedServer.start({ folder });
    const { port } = server;
    const said: string[] = [];
    server.keepUp((sentence) => said.push(sentence));
    for (let time = 1; time <= 2; time++) {
      const { pid } = server;
      process.kill(pid, 'SIGKILL');
      await eventually(() => expect(server!.pid).not.toBe(pid));
      expect([said.length, server.port, await wayIn(server.url())]).toEqual([time, port, 'loopback']);
    }
    // In the middle of a start it is told so as well.
    const launch = server['launch'];
    let stopped: Promise<void> | undefined;
    const launchMeanwhile = () => {
      stopped = server!.stop();
      return launch();
    };
    Object.assign(server, { launch: launchMeanwhile });
    process.kill(server.pid, 'SIGKILL');
    await eventually(() => stopped !== undefined);
    await stopped;
    await server['reviving'];
    await expect(wayIn(server.url())).rejects.toThrow('ECONNREFUSED');
    const { child } = server['running'];
    await eventually(() => expect(child.listenerCount('close')).toBe(0));
    expect(said).toHaveLength(3);
  });

  it('is told to stop also where it cannot be started again, and says once why it cannot', async () => {
    server = await EmbeddedServer.start({ folder: join(base, 'full') });
    const said: string[] = [];
    let tries = 0;
    const launch = () => {
      tries++;
      return Promise.reject(new Error('No space left on device'));
    };
    Object.assign(server, { launch });
    server.keepUp((sentence) => said.push(sentence));
    process.kill(server.pid, 'SIGKILL');
    await eventually(() => expect(tries).toBeGreaterThan(1));
    await server.stop();
    expect(said.slice(1)).toEqual(['No space left on device']);
  });

  it('leaves alone who has got the number of one that ended in a power cut', async () => {
    const folder = join(base, 'cut');
    const before = await EmbeddedServer.start({ folder });
    const left = join(folder, 'cluster/postmaster.pid');
    const [, ...rest] = readFileSync(left, 'utf8').split('\n');
    await before.stop();
    // Under the ids of the server, which may end it then.
    const { uid, gid } = statSync(join(folder, 'cluster'));
    const other = spawn('sleep', ['100'], { uid, gid });
    try {
      writeFileSync(left, [other.pid, ...rest].join('\n'));
      server = await EmbeddedServer.start({ folder });
      expect(await wayIn(server.url())).toBe('loopback');
      expect([other.exitCode, other.signalCode]).toEqual([null, null]);
    } finally {
      other.kill('SIGKILL');
    }
  });
});
