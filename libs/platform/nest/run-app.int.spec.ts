import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { tcpProxy } from '#messaging/conformance/tcp-proxy';
import { eventually, ownPort, testDatabase } from '#testing';
import { loadSettings } from '../config/settings';
import type { Engines } from '../engines';
import { startApp, type AppDefinition } from './run-app';

interface Reply {
  code(status: number): { send(): void };
}

const settings = (url: string, more: Record<string, string> = {}) =>
  loadSettings({
    POSTLEDGER_MODE: 'sandbox',
    POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
    DATABASE_URL: url,
    PORT: '0',
    LOG_LEVEL: 'silent',
    ...more,
  });
const app = (configure: AppDefinition['configure']): AppDefinition => ({
  name: 'test',
  port: 0,
  modules: () => [],
  ...(configure && { configure }),
});

describe('the start of an app', () => {
  it('begins anew when PostgreSQL goes away after its migration, with nothing left of the first try', async () => {
    const test = await testDatabase();
    const tries: Engines[] = [];
    const said: string[] = [];
    const running = await startApp(
      app(async (_, engines) => {
        if (tries.push(engines) === 1) await engines.db.query('select pg_terminate_backend(pg_backend_pid())');
      }),
      settings(test.url),
      { onWait: (sentence) => said.push(sentence) },
    );
    expect(tries).toEqual([expect.anything(), running.engines]);
    expect(said).toEqual([expect.stringContaining('terminating connection')]);
    await expect(tries[0]!.db.query('select 1')).rejects.toThrow('after calling end');
    expect((await fetch(`${running.url}/health/live`)).status).toBe(200);
    await running.stop();
    await test.drop();
  });

  it('answers meanwhile that it lives, for what it waits, and everything else with a 503', async () => {
    const test = await testDatabase();
    const away = new URL(test.url);
    const engine = await tcpProxy(away.hostname, Number(away.port));
    engine.shut();
    away.port = `${engine.port}`;
    const port = await ownPort();
    const ask = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body: await answer.json() };
    };
    const unready = (detail: unknown) => ({
      status: 503,
      retryAfter: '1',
      body: { status: 'unavailable', parts: { process: { ok: false, detail } } },
    });
    let atLast: unknown;
    const definition = app(async () => void (atLast = await ask('/health/ready')));
    const begun = startApp(definition, settings(away.href, { PORT: `${port}` }), { onWait: () => undefined });
    await eventually(async () =>
      expect(await ask('/health/ready?verbose')).toEqual(
        unready(expect.stringMatching(/^Waiting for PostgreSQL at 127\.0\.0\.1:/)),
      ),
    );
    expect(await ask('/health/live')).toEqual({ status: 200, retryAfter: null, body: { status: 'live', app: 'test' } });
    expect(await ask('/api/v1/posts')).toMatchObject({
      status: 503,
      retryAfter: '1',
      body: { code: 'ENGINE_UNAVAILABLE' },
    });
    const halfAsked = connect(port, '127.0.0.1', () => halfAsked.write('GET /health/li')).on('error', () => undefined);
    await once(halfAsked, 'ready');
    engine.open();
    const running = await begun;
    expect(atLast).toEqual(unready('The process is starting.'));
    expect(await ask('/health/ready')).toMatchObject({ status: 200, body: { status: 'ready' } });
    expect(await ask('/api/v1/posts')).toMatchObject({ status: 404 });
    await running.stop();
    await engine.close();
    await test.drop();
  });

  it('leaves no connection to its database when it cannot begin', async () => {
    const test = await testDatabase();
    const unreadable = { ...settings(test.url), busUrl: 'kafka://a:port' };
    await expect(startApp(app(undefined), unreadable)).rejects.toThrow('BUS_URL is not of the form');
    const left =
      "select from pg_stat_activity where datname = current_database() and application_name = 'postledger test'";
    await eventually(async () => expect(await test.db.query(left)).toEqual([]));
    await test.drop();
  });

  it('leaves its port when it cannot begin after all', async () => {
    const test = await testDatabase();
    const port = await ownPort();
    let tries = 0;
    const failing = app((_, { db }) =>
      db.script(tries++ === 0 ? 'select pg_terminate_backend(pg_backend_pid())' : 'select 1 / 0'),
    );
    const begun = startApp(failing, settings(test.url, { PORT: `${port}` }), { onWait: () => undefined });
    await expect(begun).rejects.toThrow('division by zero');
    await expect(fetch(`http://127.0.0.1:${port}/health/live`)).rejects.toThrow('fetch failed');
    await test.drop();
  });

  it('does not begin anew where something of the first try is left', async () => {
    const test = await testDatabase();
    let tries = 0;
    let close = async (): Promise<void> => undefined;
    const stuck = app(async (_, engines) => {
      if (tries++ > 0) return;
      close = engines.close.bind(engines);
      Object.assign(engines, { close: () => Promise.reject(new Error('stuck')) });
      await engines.db.query('select pg_terminate_backend(pg_backend_pid())');
    });
    const begun = startApp(stuck, settings(test.url), { onWait: () => undefined });
    await expect(begun).rejects.toThrow('terminating connection');
    expect(tries).toBe(1);
    await close();
    await test.drop();
  });

  it('ends at what will not pass', async () => {
    const test = await testDatabase();
    const failing = app((_, { db }) => db.script('select 1 / 0'));
    await expect(startApp(failing, settings(test.url))).rejects.toThrow('division by zero');
    await test.drop();
  });
});

describe('an app', () => {
  it('says that it is not ready before it stops listening, by the delay that is set', async () => {
    const test = await testDatabase();
    const running = await startApp(app(undefined), settings(test.url, { SHUTDOWN_DELAY_SECONDS: '5' }));
    const status = async (path: string) => (await fetch(`${running.url}${path}`)).status;
    expect(await status('/health/ready')).toBe(200);
    const stopped = running.stop();
    expect(await status('/health/ready')).toBe(503);
    expect(await status('/health/live')).toBe(200);
    await stopped;
    await expect(status('/health/live')).rejects.toThrow('fetch failed');
    await test.drop();
  });

  it('gives a request five minutes to come in, and its head one', async () => {
    const test = await testDatabase();
    const running = await startApp(app(undefined), settings(test.url));
    const { requestTimeout, headersTimeout } = running.app.getHttpServer();
    expect([requestTimeout, headersTimeout]).toEqual([300_000, 60_000]);
    await running.stop();
    await test.drop();
  });
});

describe('the stop of an app', () => {
  it('leaves the port of its metrics, which are nowhere else', async () => {
    const test = await testDatabase();
    const running = await startApp(app(undefined), settings(test.url, { METRICS_PORT: `${await ownPort()}` }));
    const at = [running.metricsUrl!, `${running.url}/metrics`];
    expect(await Promise.all(at.map(async (url) => (await fetch(url)).status))).toEqual([200, 404]);
    await running.stop();
    await expect(fetch(running.metricsUrl!)).rejects.toThrow('fetch failed');
    await test.drop();
  });

  it('answers what has come in, and waits for no request that never does', async () => {
    const test = await testDatabase();
    let answer: () => void = () => undefined;
    let asked = 0;
    let arrived = 0;
    const running = await startApp(
      app((nest) => {
        const server = nest.getHttpAdapter().getInstance();
        nest.getHttpServer().on('request', () => arrived++);
        server.post('/refused', { onRequest: (_: unknown, reply: Reply) => reply.code(401).send() }, () => undefined);
        server.post('/slow', async () => {
          asked++;
          await new Promise<void>((go) => (answer = go));
          return 'done';
        });
      }),
      settings(test.url),
    );
    const open: Socket[] = [];
    const say = async (text: string, heard?: RegExp) => {
      const told = { text: '', isClosed: false };
      const socket = connect(Number(new URL(running.url).port), '127.0.0.1', () => socket.write(text));
      socket.on('data', (bytes) => (told.text += bytes.toString()));
      socket.on('error', () => undefined).on('close', () => (told.isClosed = true));
      open.push(socket);
      if (heard) await eventually(() => expect(told.text).toMatch(heard));
      return told;
    };
    const head = 'HTTP/1.1\r\nhost: x\r\n';
    const stuck = [
      await say(''),
      await say(`GET /health/live ${head}\r\nGET /health/li`, /200 OK/),
      await say(`POST /refused ${head}content-length: 9\r\n\r\n{`, /401/),
      await say(`POST /slow ${head}content-type: application/json\r\ncontent-length: 9\r\n\r\n{`),
    ];
    const whole = await say(`POST /slow ${head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`);
    await eventually(() => expect(asked).toBe(1));
    const stopped = running.stop();
    expect((await running.engines.health.ready()).status).toBe('unavailable');
    await eventually(() => expect(stuck.map(({ isClosed }) => isClosed)).toEqual([true, true, true, true]), {
      within: 10_000,
    });
    expect(whole).toEqual({ text: '', isClosed: false });
    // What comes in behind it meanwhile is refused, and the first one's end does not cut the refusal off.
    open.at(-1)!.write(`GET /health/live ${head}\r\n`);
    await eventually(() => expect(arrived).toBe(5));
    answer();
    await stopped;
    const both = expect.stringMatching(/200 OK[^]*done[^]*503 Service Unavailable/);
    await eventually(() => expect(whole).toEqual({ text: both, isClosed: true }));
    open.forEach((socket) => socket.destroy());
    await test.drop();
  }, 20_000);
});
