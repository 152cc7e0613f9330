import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '#testing';
import { runPrinted } from '../harness/printed-curl';
import { Program, ROOT } from '../harness/program';
import { Standalone } from '../harness/standalone';

const folder = () => mkdtempSync(join(tmpdir(), "postledger's $door "));
const start = (env: Record<string, string | undefined>, ...args: string[]) =>
  Program.start(['dist/apps/standalone/main.js', ...args], { PORT: '0', ...env });

describe('the front door', () => {
  describe('npm start', () => {
    const dataDir = folder();
    let program: Program;
    afterAll(async () => {
      await program?.stop();
      removeFolder(dataDir);
    });

    it('shows the main job: connected, scheduled, on the bus, published, partly failed, received and verified, retried and recovered', async () => {
      program = start({ DATA_DIR: dataDir, RETRY_SCALE: '0.1' });
      for (const pattern of [
        /connected +instagram/,
        /scheduled +pst_/,
        /on the bus +post\.published/,
        /webhook +core +post\.partial .*signature verified/,
        /webhook +post-ez .*signature verified/,
        /published +pst_/,
        /partial +pst_.*Token expired/,
        /recovered/,
        /webhooks received and verified, 0 not/,
      ])
        await program.line(pattern);
    });

    it('prints a curl line that works as it stands', async () => {
      const [line] = await program.line(/^curl .*/);
      expect(runPrinted(line)).toMatchObject({ id: expect.stringMatching(/^acct_/), username: 'hello.world' });
    });

    it('serves the API documents and the page it names', async () => {
      const [, url] = await program.line(/documents: (http:\S+)\)/);
      expect((await fetch(url!)).status).toBe(200);
      const [, dashboard] = await program.line(/Dashboard +(http:[^#\s]+)/);
      expect((await fetch(dashboard!)).headers.get('content-type')).toContain('text/html');
    });

    it('tells every metric and every part of its health that the guides name', async () => {
      const [, url] = await program.line(/API +(http:\/\/\S+)\/api\/v1/);
      const [metrics, health] = await Promise.all(
        ['/metrics', '/health/ready'].map(async (path) => (await fetch(url + path)).text()),
      );
      const guide = (name: string) => readFileSync(join(ROOT, 'docs/guide', name), 'utf8');
      const named = ['engines.md', 'operate-delivery.md'].flatMap((name) =>
        [...guide(name).matchAll(/^\|.*\|$/gm)].flatMap(([row]) => [...row.matchAll(/`(_\w+|postledger_\w+)/g)]),
      );
      let family = '';
      const full = named.map(([, name]) => {
        if (name!.startsWith('_')) return `${family}${name}`;
        family = name!.split('_').slice(0, 2).join('_');
        return name!;
      });
      expect(full.length).toBeGreaterThan(25);
      // The relay is there with Kafka alone.
      const missing = full.filter((name) => !name.includes('_relay_') && !metrics!.includes(`# HELP ${name} `));
      expect(missing).toEqual([]);
      const parts = ['database', 'eventStore', 'bus', 'projector', 'intake', 'delivery', 'publisher'];
      expect(Object.keys((JSON.parse(health!) as { parts: object }).parts)).toEqual(parts);
    });

    it('lets a tool use its database beside it', async () => {
      const tool = Program.start(['dist/apps/projector/cli.js', 'verify', 'posts'], { DATA_DIR: dataDir });
      await tool.line(/posts is equal to the log/);
      expect(await tool.ended).toMatchObject({ code: 0 });
      expect(program.isAlive).toBe(true);
    });

    it('ends with 0 on Ctrl-C, after a drain that waits for no connection without a request', async () => {
      const [, host, port] = await program.line(/API +http:\/\/([\d.]+):(\d+)/);
      for (const sent of ['', 'GET /health/li']) {
        const socket = connect({ host, port: Number(port) });
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.write(sent);
      }
      program.signal('SIGINT');
      expect(await program.ended).toEqual({ code: 0, signal: null });
      await program.line(/^Stopped\.$/);
      expect(program.lines.slice(-2)).toEqual([expect.stringMatching(/^Draining/), 'Stopped.']);
    });

    it('leaves a database that a tool starts and stops for itself', async () => {
      const tool = Program.start(['dist/apps/projector/cli.js', 'list'], { DATA_DIR: dataDir });
      await tool.line(/^audit .* current/);
      expect(await tool.ended).toMatchObject({ code: 0 });
      for (const left of ['owner.pid', 'postgres/cluster/postmaster.pid'])
        expect(existsSync(join(dataDir, left))).toBe(false);
    });

    it('drains and ends with 0 under npm too, when Ctrl-C reaches npm and the program both', async () => {
      program = Program.start([], { DATA_DIR: dataDir, PORT: '0' }, ['npm', 'start', '--', '--empty']);
      await program.line(/^Ctrl-C drains/);
      process.kill(-program.pid, 'SIGINT');
      expect(await program.ended).toEqual({ code: 0, signal: null });
      await program.line(/^Stopped\.$/);
    });

    it('is up again with its data, and its curl line still works without showing the key', async () => {
      program = start({ DATA_DIR: dataDir, RETRY_SCALE: '0.1' });
      const [line] = await program.line(/^curl .*/);
      expect(line).toContain('$(cat ');
      expect(runPrinted(line)).toMatchObject({ username: 'hello.world' });
      await program.line(/webhooks received and verified, 0 not/);
      const [, url] = await program.line(/API +(http:\/\/\S+)\/api\/v1/);
      const key = readFileSync(join(dataDir, 'api-key'), 'utf8').trim();
      const { data } = (await (
        await fetch(`${url}/api/v1/posts?limit=200`, { headers: { authorization: `Bearer ${key}` } })
      ).json()) as { data: unknown[] };
      expect(data).toHaveLength(6);
    });

    it('refuses a second one on the same folder, in one sentence', async () => {
      const second = start({ DATA_DIR: dataDir });
      expect((await second.ended).code).toBe(1);
      expect(second.lines.join('\n')).toMatch(
        /^Postledger cannot start\. Another Postledger \(process \d+\) uses .*: stop it, or set DATA_DIR to another folder\.$/,
      );
    });

    it('leaves no database behind when it is killed', async () => {
      program.kill();
      await program.ended;
      program = start({ DATA_DIR: dataDir }, '--empty');
      await program.line(/is ready/);
    });
  });

  it('explains itself with --help, before anything is installed or started', () => {
    expect(
      execFileSync(process.execPath, ['apps/standalone/start.mjs', '--help'], { cwd: ROOT, encoding: 'utf8' }),
    ).toContain('npm start -- --empty');
  });

  describe('says in one sentence what is wrong and what to do', () => {
    const cases: [what: string, env: () => Record<string, string>, args: string[], sentence: RegExp][] = [];
    const folders: string[] = [];
    let busy: Server;
    let busyPort = 0;
    const fresh = (): string => {
      const made = folder();
      folders.push(made);
      return made;
    };
    beforeAll(async () => {
      busy = createServer();
      await new Promise<void>((done) => busy.listen(0, '127.0.0.1', done));
      busyPort = (busy.address() as { port: number }).port;
    });
    afterAll(() => {
      busy.close();
      folders.forEach(removeFolder);
    });

    cases.push(
      [
        'a port in use',
        () => ({ DATA_DIR: fresh(), PORT: String(busyPort) }),
        ['--empty'],
        /Port \d+ on 127\.0\.0\.1 is in use: stop what listens there, or set PORT to another\./,
      ],
      [
        'a port for metrics in use',
        () => ({ DATA_DIR: fresh(), METRICS_PORT: String(busyPort) }),
        ['--empty'],
        /Port \d+ on 127\.0\.0\.1 is in use: stop what listens there, or set METRICS_PORT to another\./,
      ],
      [
        'an address that nothing can listen on',
        () => ({ DATA_DIR: fresh(), HOST: 'fe80::1' }),
        ['--empty'],
        /HOST fe80::1 is not an address of this machine\./,
      ],
      [
        'an event store that cannot be read',
        () => ({ DATA_DIR: fresh(), EVENT_STORE_URL: 'esdb://' }),
        ['--empty'],
        /EVENT_STORE_URL is not of the form esdb:/,
      ],
      [
        'a bus that cannot be read',
        () => ({ DATA_DIR: fresh(), BUS_URL: 'kafka://' }),
        ['--empty'],
        /BUS_URL is not of the form kafka:/,
      ],
      [
        'an authority that is not there',
        () => ({ DATA_DIR: fresh(), BUS_URL: 'kafka://127.0.0.1:1', KAFKA_CA_FILE: '/nowhere.pem' }),
        ['--empty'],
        /KAFKA_CA_FILE \/nowhere\.pem cannot be read \(ENOENT\)\./,
      ],
      [
        'a key file that is damaged',
        () => ((made) => (writeFileSync(join(made, 'secret-key'), 'half a k'), { DATA_DIR: made }))(fresh()),
        ['--empty'],
        /secret-key is damaged: it must hold 32 bytes in base64\./,
      ],
      [
        'a folder of another version',
        () => ((made) => (writeFileSync(join(made, 'layout'), '99\n'), { DATA_DIR: made }))(fresh()),
        [],
        /was made by another version of Postledger \(layout 99, this build has 1\)/,
      ],
      [
        'a database of another version',
        () => {
          const made = fresh();
          mkdirSync(join(made, 'postgres/cluster'), { recursive: true });
          writeFileSync(join(made, 'postgres/cluster/PG_VERSION'), '16\n');
          return { DATA_DIR: made };
        },
        ['--empty'],
        /was made by PostgreSQL 16, and this build runs 18: move it away, or set DATA_DIR to another folder\./,
      ],
      [
        'a folder that is a file',
        () => ((made) => (writeFileSync(join(made, 'file'), ''), { DATA_DIR: join(made, 'file') }))(fresh()),
        [],
        /is not a folder: set DATA_DIR to one\./,
      ],
      [
        'a folder that is a link to nothing',
        () =>
          ((made) => (symlinkSync(join(made, 'gone'), join(made, 'link')), { DATA_DIR: join(made, 'link') }))(fresh()),
        [],
        /is not a folder: set DATA_DIR to one\./,
      ],
      [
        'a folder where none can be made',
        // Node's own way of making folders never ends below /proc.
        () => ({ DATA_DIR: existsSync('/proc/self') ? '/proc/nowhere/data' : '/dev/null/data' }),
        [],
        /is not a folder: set DATA_DIR to one\./,
      ],
      [
        'a setting of the wrong form',
        () => ({ DATA_DIR: fresh(), RETRY_SCALE: 'often' }),
        [],
        /RETRY_SCALE must be a number from 0 to 1000, not "often"\./,
      ],
      [
        'production without its key',
        () => ({ DATA_DIR: fresh(), POSTLEDGER_MODE: 'production' }),
        [],
        /POSTLEDGER_SECRET_KEY is missing/,
      ],
      [
        'an option it does not have',
        () => ({ DATA_DIR: fresh() }),
        ['--fast'],
        /--fast is not an option: there are --empty and --help\./,
      ],
      [
        'a database that refuses the password',
        () => ({ DATA_DIR: fresh(), DATABASE_URL: process.env['TEST_POSTGRES_URL']!.replace(/:[^:@]+@/, ':wrong@') }),
        ['--empty'],
        /refuses: the password is wrong; check the user and password in DATABASE_URL\./,
      ],
      [
        'a database that does not exist',
        () => ({
          DATA_DIR: fresh(),
          DATABASE_URL: process.env['TEST_POSTGRES_URL']!.replace(/\/postgres(?=\?|$)/, '/nowhere'),
        }),
        ['--empty'],
        /refuses: the database does not exist; create it or name another in DATABASE_URL\./,
      ],
    );
    it.each(cases)('%s', async (_what, env, args, sentence) => {
      const program = start(env(), ...args);
      const { code } = await program.ended;
      const said = program.lines.filter((line) => line.startsWith('Postledger cannot start.'));
      expect(said.join('\n')).toMatch(sentence);
      expect(said).toHaveLength(1);
      // Neither a stack nor a log line beside it; how long a step takes is no matter here.
      expect(program.lines.filter((line) => line !== said[0] && !/^( {2}… |Building$|Built in )/.test(line))).toEqual(
        [],
      );
      expect(code).toBe(1);
    });
  });

  it('waits for a database that is not there yet, and says so', async () => {
    const made = folder();
    const program = start({ DATA_DIR: made, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, '--empty');
    await program.line(/Waiting for PostgreSQL at 127\.0\.0\.1:1: .*ECONNREFUSED/);
    program.kill();
    await program.ended;
    removeFolder(made);
  });

  it('starts empty when told so', async () => {
    const standalone = await Standalone.start();
    expect((await standalone.client().get<{ data: unknown[] }>('/posts')).body.data).toEqual([]);
    await standalone.remove();
  });
});
