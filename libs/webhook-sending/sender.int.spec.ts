import { createServer as createHttp, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { eventually } from '#testing';
import { createSender, type Sender, type SenderSettings } from './sender';

const BODY = '{"id":"evt_1","type":"post.published","text":"ä😀"}';
const HEADERS = { 'content-type': 'application/json', 'webhook-id': 'evt_1' };

describe('the sender', () => {
  const closing: (() => void)[] = [];
  let sender: Sender;
  let connections: Socket[] = [];

  const use = (settings: Partial<SenderSettings> = {}) => (sender = createSender({ sandbox: true, ...settings }));
  const send = (
    url: string,
    more: { timeoutMs?: number; signal?: AbortSignal; headers?: Record<string, string>; body?: string | Buffer } = {},
  ) => sender.send({ url, headers: HEADERS, body: BODY, timeoutMs: 20_000, ...more });
  async function listen(server: Server): Promise<string> {
    server.on('connection', (socket) => connections.push(socket.on('error', () => undefined)));
    await new Promise<void>((up) => server.listen(0, '127.0.0.1', up));
    closing.push(() => {
      server.close();
      connections.forEach((socket) => socket.destroy());
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?a=1`;
  }
  const http = (listener: RequestListener) => listen(createHttp({ keepAliveTimeout: 0 }, listener));
  /** Calls `answer` for every chunk that comes in on a connection. */
  const raw = (answer: (socket: Socket, chunk: Buffer, chunks: number) => void) =>
    listen(
      createServer((socket) => {
        let chunks = 0;
        socket.on('data', (chunk) => answer(socket, chunk, ++chunks));
      }),
    );
  const bytesOf = async (request: IncomingMessage): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };

  beforeEach(() => {
    connections = [];
    use();
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    await sender.close();
  });

  describe('an exchange that ends well', () => {
    it('posts exactly the bytes and headers it was given', async () => {
      let seen: { method?: string; url?: string; headers: IncomingMessage['headers']; body: Buffer } | undefined;
      const url = await http(async (request, response) => {
        seen = { method: request.method, url: request.url, headers: request.headers, body: await bytesOf(request) };
        response.end('thanks');
      });
      const before = Date.now();
      const exchange = await send(url);
      expect(exchange).toMatchObject({ ok: true, statusCode: 200, response: 'thanks' });
      expect(exchange.error).toBeUndefined();
      expect(exchange.startedAt).toBeGreaterThanOrEqual(before);
      expect(exchange.durationMs).toBeGreaterThan(0);
      expect(seen).toMatchObject({
        method: 'POST',
        url: '/hook?a=1',
        headers: { ...HEADERS, host: new URL(url).host },
      });
      expect(seen!.body.equals(Buffer.from(BODY))).toBe(true);
      expect(seen!.headers['content-length']).toBe(String(Buffer.byteLength(BODY)));
      expect(seen!.headers['accept-encoding']).toBeUndefined();
    });

    it('keeps one connection for one exchange after another', async () => {
      const url = await http((_, response) => void response.end());
      for (let i = 0; i < 20; i++) expect(await send(url)).toMatchObject({ ok: true });
      expect(connections).toHaveLength(1);
    });

    it.each([
      ['says that it closes it', 'connection: close\r\ncontent-length: 0\r\n\r\n'],
      ['keeps it for a second only', 'keep-alive: timeout=1\r\ncontent-length: 0\r\n\r\n'],
      ['says more than it was asked', 'content-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged'],
    ])('takes a new connection when its server %s', async (_name, rest) => {
      const url = await raw((socket) => void socket.write(`HTTP/1.1 200 OK\r\n${rest}`));
      for (let i = 0; i < 2; i++) expect(await send(url)).toMatchObject({ ok: true, response: '' });
      expect(connections).toHaveLength(2);
    });

    it('takes nothing for an answer that came before its request', async () => {
      const url = await raw((socket, _chunk, chunks) => {
        socket.write('HTTP/1.1 200 OK\r\nkeep-alive: timeout=600\r\ncontent-length: 4\r\n\r\ntrue');
        if (chunks === 1) setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged'), 5);
      });
      expect(await send(url)).toMatchObject({ response: 'true' });
      await eventually(() => expect(connections[0]!.destroyed).toBe(true));
      expect(await send(url)).toMatchObject({ response: 'true' });
    });

    it('takes a new connection when it was answered before all of its request had left', async () => {
      const url = await raw((socket) => {
        socket.pause();
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      });
      expect(await send(url, { body: Buffer.alloc(32 * 1024 * 1024) })).toMatchObject({ ok: true });
      expect(await send(url)).toMatchObject({ ok: true });
      expect(connections).toHaveLength(2);
    });

    it('opens no more connections to an origin than it may, and the rest wait', async () => {
      use({ connectionsPerOrigin: 4 });
      const url = await http((_, response) => void setTimeout(() => response.end(), 5));
      const all = Promise.all(Array.from({ length: 40 }, () => send(url)));
      expect(sender.stats()).toMatchObject({ origins: 1, underWay: 40, queued: 36 });
      expect((await all).every(({ ok }) => ok)).toBe(true);
      expect(connections).toHaveLength(4);
      expect(sender.stats()).toMatchObject({ underWay: 0, queued: 0 });
    });

    it('sends nothing for one that ended while it waited for a connection, and goes on with those behind it', async () => {
      use({ connectionsPerOrigin: 1 });
      const seen: (string | undefined)[] = [];
      let answer: () => void = () => undefined;
      const url = await http((request, response) => {
        seen.push(request.url);
        if (request.url === '/first') answer = () => void response.end();
        else response.end();
      });
      const at = (path: string) => new URL(path, url).href;
      const [first, late, behind] = [send(at('/first')), send(at('/late'), { timeoutMs: 20 }), send(at('/behind'))];
      expect(await late).toMatchObject({ ok: false, error: { stage: 'timeout' } });
      await eventually(() => expect(seen).toEqual(['/first']));
      answer();
      expect(await first).toMatchObject({ ok: true });
      expect(await behind).toMatchObject({ ok: true });
      expect(await send(at('/after'))).toMatchObject({ ok: true });
      expect(seen).toEqual(['/first', '/behind', '/after']);
      expect(connections).toHaveLength(1);
    });

    it('reaches localhost in the sandbox, whichever family its server listens on', async () => {
      const url = await http((_, response) => void response.end());
      expect(await send(url.replace('127.0.0.1', 'localhost'))).toMatchObject({ ok: true });
    });

    it('takes no proxy from the environment', async () => {
      const url = await http((_, response) => void response.end());
      process.env['HTTP_PROXY'] = process.env['http_proxy'] = 'http://127.0.0.1:9';
      try {
        expect(await use().send({ url, headers: {}, body: BODY, timeoutMs: 20_000 })).toMatchObject({ ok: true });
      } finally {
        delete process.env['HTTP_PROXY'];
        delete process.env['http_proxy'];
      }
    });

    it('sends again, once, what a kept connection lost before any answer', async () => {
      let requests = 0;
      const url = await raw((socket, _chunk, chunks) => {
        requests++;
        if (chunks === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        else socket.destroy();
      });
      expect(await send(url)).toMatchObject({ ok: true });
      expect(await send(url)).toMatchObject({ ok: true });
      expect(connections).toHaveLength(2);
      expect(requests).toBe(3);
    });

    it('sends nothing again that a connection lost which was new, though its place had been another’s', async () => {
      let requests = 0;
      const url = await raw((socket) => {
        requests++;
        if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
        else socket.destroy();
      });
      expect(await send(url)).toMatchObject({ ok: true });
      expect(await send(url)).toMatchObject({ ok: false, error: { stage: 'headers' } });
      expect(requests).toBe(2);
    });

    it.each(['HTTP/1.1 103 Early Hints\r\n\r\n', 'HTTP/1.1 2'])(
      'sends nothing again that a kept connection had begun to answer with %j',
      async (begun) => {
        let requests = 0;
        const url = await raw((socket, _chunk, chunks) => {
          requests++;
          if (chunks === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
          else socket.end(begun);
        });
        expect(await send(url)).toMatchObject({ ok: true });
        expect(await send(url)).toMatchObject({ ok: false, error: { stage: 'headers' } });
        expect(requests).toBe(2);
      },
    );
  });

  describe('a status', () => {
    it.each([200, 201, 202, 204, 299])('%i is success', async (status) => {
      const url = await http((_, response) => void response.writeHead(status).end());
      expect(await send(url)).toMatchObject({ ok: true, statusCode: status });
    });

    it.each([300, 400, 404, 410, 500, 503])('%i is none, and no error of the exchange either', async (status) => {
      const url = await http((_, response) => void response.writeHead(status).end('no'));
      const exchange = await send(url);
      expect(exchange).toMatchObject({ ok: false, statusCode: status, response: 'no' });
      expect(exchange.error).toBeUndefined();
    });

    it.each([301, 302, 303, 307, 308])('%i is not followed', async (status) => {
      let followed = 0;
      const elsewhere = await http((_, response) => void (followed++, response.end()));
      const url = await http((_, response) => void response.writeHead(status, { location: elsewhere }).end());
      expect(await send(url)).toMatchObject({ ok: false, statusCode: status });
      expect(followed).toBe(0);
    });

    it('hands Retry-After over as it came', async () => {
      const url = await http(
        (_, response) => void response.writeHead(429, { 'Retry-After': 'Wed, 21 Oct 2026 07:28:00 GMT' }).end(),
      );
      expect(await send(url)).toMatchObject({ ok: false, retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' });
    });

    it('is the last one, behind informational ones', async () => {
      const url = await raw(
        (socket) =>
          void socket.write(
            'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
          ),
      );
      expect(await send(url)).toMatchObject({ ok: true, statusCode: 200, response: 'ok' });
    });
  });

  describe('a response', () => {
    it('is cut off at 16 KiB, whatever its length says, and does not hold the connection', async () => {
      let sent = 0;
      const url = await http((_, response) => {
        const chunk = Buffer.alloc(64 * 1024, 'a');
        const pour = () => {
          while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        };
        response.on('drain', pour).on('error', () => undefined);
        pour();
      });
      const exchange = await send(url);
      expect(exchange).toMatchObject({ ok: true, statusCode: 200 });
      expect(exchange.response).toBe('a'.repeat(16_384));
      await eventually(() => expect(connections[0]!.destroyed).toBe(true));
      expect(sent).toBeLessThan(16 * 1024 * 1024);
    });

    it('of exactly 16 KiB is whole', async () => {
      const url = await http((_, response) => void response.end('é'.repeat(8_192)));
      expect((await send(url)).response).toBe('é'.repeat(8_192));
    });

    it('is cut between characters', async () => {
      const url = await http((_, response) => void response.end(`a${'é'.repeat(10_000)}`));
      expect((await send(url)).response).toBe(`a${'é'.repeat(8_191)}`);
    });

    it('is never decompressed', async () => {
      const bomb = gzipSync(Buffer.alloc(10 * 1024 * 1024));
      const url = await http((_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
      expect(await send(url)).toMatchObject({ ok: true });
      expect((await send(url)).response!.length).toBeLessThanOrEqual(16_384);
    });

    it('becomes text that a database can hold', async () => {
      const url = await http((_, response) => void response.end(Buffer.from([0x61, 0x00, 0xff, 0x62, 0xf0, 0x9f])));
      expect((await send(url)).response).toBe('a\ufffdb\ufffd');
    });
  });

  describe('an exchange that fails says at which stage', () => {
    it('connect: nobody listens', async () => {
      const url = await raw(() => undefined);
      closing.splice(0).forEach((close) => close());
      expect(await send(url)).toMatchObject({
        ok: false,
        error: { stage: 'connect', message: expect.stringContaining('ECONNREFUSED') },
      });
    });

    it('headers: the connection is reset instead of an answer, and a fresh one is not tried twice', async () => {
      let requests = 0;
      const url = await raw((socket) => void (requests++, socket.resetAndDestroy()));
      expect(await send(url)).toMatchObject({ ok: false, error: { stage: 'headers' } });
      expect(requests).toBe(1);
    });

    it.each([
      ['closed in the middle', 'HTTP/1.1 200 OK\r\nx-a'],
      ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
      ['a forbidden upgrade', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
    ])('headers: %s', async (_name, text) => {
      const url = await raw((socket) => void socket.end(text));
      expect(await send(url)).toMatchObject({ ok: false, error: { stage: 'headers' } });
    });

    it('headers: they never end', async () => {
      const url = await raw((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        const timer = setInterval(() => socket.write(`x-${Math.random()}: ${'y'.repeat(4_000)}\r\n`), 1);
        socket.on('close', () => clearInterval(timer));
      });
      const exchange = await send(url);
      expect(exchange).toMatchObject({ ok: false, error: { stage: 'headers' } });
      expect(exchange.statusCode).toBeUndefined();
    });

    it.each(['content-length: 100\r\n\r\nhalf', 'transfer-encoding: chunked\r\n\r\n5\r\nhel'])(
      'body: it breaks off (%j)',
      async (rest) => {
        const url = await raw(
          (socket) =>
            void socket.write(`HTTP/1.1 200 OK\r\n${rest}`, () => setTimeout(() => socket.resetAndDestroy(), 20)),
        );
        expect(await send(url)).toMatchObject({ ok: false, statusCode: 200, error: { stage: 'body' } });
      },
    );

    it('send: the server stops reading and resets while a large body is on its way', async () => {
      const url = await listen(
        createServer((socket) => {
          socket.pause();
          setTimeout(() => socket.resetAndDestroy(), 50);
        }),
      );
      const exchange = await send(url, { body: Buffer.alloc(32 * 1024 * 1024) });
      expect(exchange).toMatchObject({ ok: false, error: { stage: 'send' } });
    });

    it('timeout: no answer comes', async () => {
      const url = await raw(() => undefined);
      const exchange = await send(url, { timeoutMs: 400 });
      expect(exchange).toMatchObject({
        ok: false,
        error: { stage: 'timeout', message: expect.stringContaining('waiting for the response headers') },
      });
      expect(exchange.durationMs).toBeGreaterThanOrEqual(395);
      expect(exchange.durationMs).toBeLessThan(10_000);
      await eventually(() => expect(connections[0]!.destroyed).toBe(true));
    });

    it('timeout: headers that drip do not buy time', async () => {
      const url = await raw((socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        const timer = setInterval(() => socket.write('x: y\r\n'), 10);
        socket.on('close', () => clearInterval(timer));
      });
      const exchange = await send(url, { timeoutMs: 100 });
      expect(exchange).toMatchObject({ ok: false, error: { stage: 'timeout' } });
      expect(exchange.durationMs).toBeLessThan(10_000);
    });

    it('timeout: a body that drips does not buy time, even behind a 200', async () => {
      const url = await http((_, response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write('.'), 10);
        response.on('close', () => clearInterval(timer));
      });
      const exchange = await send(url, { timeoutMs: 500 });
      expect(exchange).toMatchObject({
        ok: false,
        statusCode: 200,
        error: { stage: 'timeout', message: expect.stringContaining('reading the response body') },
      });
      expect(exchange.response).toMatch(/^\.+$/);
      expect(exchange.durationMs).toBeLessThan(10_000);
    });

    it('timeout: waiting for a connection counts', async () => {
      use({ connectionsPerOrigin: 1 });
      const url = await raw(() => undefined);
      const [first, second] = await Promise.all([send(url, { timeoutMs: 150 }), send(url, { timeoutMs: 80 })]);
      expect(first).toMatchObject({ error: { stage: 'timeout' } });
      expect(second).toMatchObject({
        error: { stage: 'timeout', message: expect.stringContaining('waiting for a connection') },
      });
    });

    it('aborted: the caller wants it no longer', async () => {
      const url = await raw(() => undefined);
      const stop = new AbortController();
      const both = Promise.all([send(url, { signal: stop.signal }), send(url, { signal: stop.signal })]);
      await eventually(() => expect(connections).toHaveLength(2));
      stop.abort();
      for (const exchange of await both) expect(exchange).toMatchObject({ ok: false, error: { stage: 'aborted' } });
      expect(await send(url, { signal: stop.signal })).toMatchObject({ error: { stage: 'aborted' } });
    });

    it.each([
      'https://10.0.0.1/',
      'http://169.254.169.254/latest/meta-data/',
      'http://[::ffff:127.0.0.1]/',
      'https://user:pass@hooks.example.org/',
      'nonsense',
    ])('refused: %s', async (url) => {
      expect(await send(url)).toMatchObject({ ok: false, durationMs: 0, error: { stage: 'refused' } });
    });

    it('refused: loopback outside the sandbox, by address and by name', async () => {
      const url = await http((_, response) => void response.end());
      use({ sandbox: false });
      for (const host of ['127.0.0.1', 'localhost', '0x7f.1', '[::1]']) {
        const { port } = new URL(url);
        expect(await send(`https://${host}:${port}/`)).toMatchObject({ error: { stage: 'refused' } });
        expect(await send(`http://${host}:${port}/`)).toMatchObject({ error: { stage: 'refused' } });
      }
      expect(connections).toHaveLength(0);
    });

    it.each(['a\r\nx-injected: 1', 'a\nb', 'a\u0000b', 'ä😀'])('refused: the header value %j', async (value) => {
      const url = await http((_, response) => void response.end());
      expect(await send(url, { headers: { 'x-value': value } })).toMatchObject({
        ok: false,
        error: { stage: 'refused' },
      });
      expect(await send(url, { headers: { 'x\r\ny': 'z' } })).toMatchObject({ ok: false, error: { stage: 'refused' } });
      expect(await send(url)).toMatchObject({ ok: true });
    });
  });

  it('lets a path that hangs cost another path of its origin nothing', async () => {
    const url = await http((request, response) => void (request.url === '/ok' && response.end()));
    const hanging = Array.from({ length: 50 }, () => send(url, { timeoutMs: 60_000 }));
    const quick = new URL('/ok', url).href;
    for (let i = 0; i < 50; i++) expect(await send(quick)).toMatchObject({ ok: true });
    connections.forEach((socket) => socket.destroy());
    await Promise.all(hanging);
  });

  it('forgets an origin that nothing is sent to', async () => {
    use({ idleOriginMs: 20 });
    const url = await http((_, response) => void response.end());
    await send(url);
    expect(sender.stats().origins).toBe(1);
    await eventually(() => expect(sender.stats().origins).toBe(0));
    await eventually(() => expect(connections[0]!.destroyed).toBe(true));
    expect(await send(url)).toMatchObject({ ok: true });
  });

  it('forgets no origin that it waits for', async () => {
    use({ idleOriginMs: 5, connectionsPerOrigin: 1 });
    let answer: () => void = () => undefined;
    const url = await http((_, response) => void (answer = () => void response.end()));
    const another = await http((_, response) => void response.end());
    const exchange = send(url);
    await send(another);
    await eventually(() => expect(sender.stats().origins).toBe(1));
    const behind = send(url);
    expect(sender.stats()).toMatchObject({ origins: 1, underWay: 2, queued: 1 });
    await eventually(() => (answer(), sender.stats().underWay === 0));
    for (const each of [await exchange, await behind]) expect(each).toMatchObject({ ok: true });
  });

  it('drains when it closes, and takes nothing after', async () => {
    let answer: () => void = () => undefined;
    const url = await http((request, response) => {
      if (request.url === '/late') answer = () => void response.end('late');
      else response.end();
    });
    const exchanges = [send(url), send(new URL('/late', url).href)];
    let isClosed = false;
    const closed = sender.close().then(() => (isClosed = true));
    expect(await send(url)).toMatchObject({ ok: false, error: { stage: 'aborted' } });
    expect(await exchanges[0]).toMatchObject({ ok: true });
    await eventually(() => expect(connections).toHaveLength(2));
    expect([isClosed, sender.stats().underWay]).toEqual([false, 1]);
    await eventually(() => (answer(), sender.stats().underWay === 0));
    expect(await exchanges[1]).toMatchObject({ ok: true, response: 'late' });
    await closed;
    await eventually(() => expect(connections.every((socket) => socket.destroyed)).toBe(true));
  });
});
