import { createServer as createHttp } from 'node:http';
import { createServer, type Server } from 'node:https';
import { connect, createServer as createTcp, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { generate, type GenerateResult } from 'selfsigned';
import { eventually } from '#testing';
import { createSender, type Sender, type SenderSettings } from './sender';

const NAME = 'hooks.example.org';
const DAY_MS = 86_400_000;

const certificate = (name: string, more: { from?: number; to?: number; ip?: string } = {}): Promise<GenerateResult> => {
  const { from = -DAY_MS, to = DAY_MS, ip } = more;
  const altNames = ip ? [{ type: 7 as const, ip }] : [{ type: 2 as const, value: name }];
  return generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() + from),
    notAfterDate: new Date(Date.now() + to),
    extensions: [{ name: 'subjectAltName', altNames }],
  });
};

describe('a target with https', () => {
  const closing: (() => void)[] = [];
  let sender: Sender;
  let seen: { host?: string; servername?: unknown; protocol?: string | false | null }[];
  let sockets: Socket[];

  beforeEach(() => {
    seen = [];
    sockets = [];
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    await sender.close();
  });

  async function listen(server: TcpServer | Server): Promise<number> {
    server.on('connection', (socket: Socket) => sockets.push(socket.on('error', () => undefined)));
    await new Promise<void>((up) => server.listen(0, '127.0.0.1', up));
    closing.push(() => {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    });
    return (server.address() as AddressInfo).port;
  }
  const https = ({ private: key, cert }: GenerateResult): Promise<number> =>
    listen(
      createServer({ key, cert, ALPNProtocols: ['h2', 'http/1.1'] }, (request, response) => {
        const { servername, alpnProtocol } = request.socket as TLSSocket & { servername?: unknown };
        seen.push({ host: request.headers.host, servername, protocol: alpnProtocol });
        response.end('ok');
      }),
    );
  /** A sender for which every name is a public address that the test's own server plays. */
  const post = (
    port: number,
    ca: string[],
    {
      host = NAME,
      timeoutMs = 20_000,
      ...settings
    }: Partial<SenderSettings> & { host?: string; timeoutMs?: number } = {},
  ) => {
    sender = createSender({
      sandbox: false,
      lookup: async () => ['93.184.215.14'],
      forTests: { ca, reroute: () => '127.0.0.1' },
      ...settings,
    });
    return sender.send({ url: `https://${host}:${port}/in`, headers: {}, body: '{}', timeoutMs });
  };

  it('sees the registered name in SNI and Host, and HTTP/1.1 in ALPN', async () => {
    const good = await certificate(NAME);
    const port = await https(good);
    expect(await post(port, [good.cert])).toMatchObject({ ok: true, response: 'ok' });
    expect(seen).toEqual([{ host: `${NAME}:${port}`, servername: NAME, protocol: 'http/1.1' }]);
  });

  it('keeps one connection, so one handshake', async () => {
    const good = await certificate(NAME);
    const port = await https(good);
    await post(port, [good.cert]);
    for (let i = 0; i < 5; i++)
      expect(
        await sender.send({ url: `https://${NAME}:${port}/in`, headers: {}, body: '{}', timeoutMs: 20_000 }),
      ).toMatchObject({ ok: true });
    expect(sockets).toHaveLength(1);
  });

  it('is refused with a certificate that nobody vouches for', async () => {
    const port = await https(await certificate(NAME));
    expect(await post(port, [])).toMatchObject({
      ok: false,
      error: { stage: 'tls', message: expect.stringMatching(/self.signed/i) },
    });
    expect(seen).toEqual([]);
  });

  it('is refused with a certificate that has expired, or is not valid yet', async () => {
    const expired = await certificate(NAME, { from: -2 * DAY_MS, to: -DAY_MS });
    expect(await post(await https(expired), [expired.cert])).toMatchObject({
      ok: false,
      error: { stage: 'tls', message: expect.stringContaining('expired') },
    });
    await sender.close();
    const early = await certificate(NAME, { from: DAY_MS, to: 2 * DAY_MS });
    expect(await post(await https(early), [early.cert])).toMatchObject({
      ok: false,
      error: { stage: 'tls', message: expect.stringContaining('not yet valid') },
    });
    expect(seen).toEqual([]);
  });

  it('is refused with a certificate for another name, also one of the same address', async () => {
    const foreign = await certificate('other.example.org');
    expect(await post(await https(foreign), [foreign.cert])).toMatchObject({
      ok: false,
      error: { stage: 'tls', message: expect.stringContaining(NAME) },
    });
    await sender.close();
    const ofAddress = await certificate('', { ip: '93.184.215.14' });
    expect(await post(await https(ofAddress), [ofAddress.cert])).toMatchObject({ ok: false, error: { stage: 'tls' } });
    expect(seen).toEqual([]);
  });

  it('may be a literal address whose certificate names it', async () => {
    const loopback = await certificate('', { ip: '127.0.0.1' });
    const port = await https(loopback);
    expect(await post(port, [loopback.cert], { sandbox: true, host: '127.0.0.1' })).toMatchObject({ ok: true });
    expect(seen).toEqual([{ host: `127.0.0.1:${port}`, servername: false, protocol: 'http/1.1' }]);
  });

  it('fails in the handshake when its server speaks no TLS, or hangs up', async () => {
    const plain = await listen(createHttp((_, response) => void response.end()));
    expect(await post(plain, [])).toMatchObject({
      ok: false,
      error: { stage: 'tls', message: expect.stringMatching(/ port \d+: wrong version number$/) },
    });
    await sender.close();
    const rude = await listen(createTcp((socket) => void socket.once('data', () => socket.destroy())));
    expect(await post(rude, [])).toMatchObject({ ok: false, error: { stage: 'tls' } });
  });

  const TWO = ['93.184.215.14', '1.1.1.1'];

  it('is tried at no other address when the handshake fails', async () => {
    const tried: string[] = [];
    const reroute = (address: string) => (tried.push(address), '127.0.0.1');
    const port = await https(await certificate(NAME));
    const exchange = await post(port, [], { lookup: async () => TWO, forTests: { reroute } });
    expect(exchange).toMatchObject({ ok: false, error: { stage: 'tls' } });
    expect(tried).toEqual([TWO[0]]);
  });

  it('may take longer for its handshake than for its connection, where there is another address', async () => {
    const good = await certificate(NAME);
    const port = await https(good);
    let arrived: (socket: Socket) => void = () => undefined;
    const asked = new Promise<Socket>((done) => (arrived = done));
    const slow = await listen(createTcp((socket) => void socket.once('readable', () => arrived(socket))));
    jest.useFakeTimers({ doNotFake: ['performance', 'nextTick', 'queueMicrotask', 'setImmediate', 'setInterval'] });
    try {
      const sent = post(slow, [good.cert], { lookup: async () => TWO });
      const socket = await asked;
      jest.advanceTimersByTime(10_000);
      socket.pipe(connect(port, '127.0.0.1')).pipe(socket);
      expect(await sent).toMatchObject({ ok: true });
    } finally {
      jest.useRealTimers();
    }
  });

  it('times out in a handshake that never ends, and the connection is dropped', async () => {
    const silent = await listen(createTcp((socket) => void socket.resume()));
    const exchange = await post(silent, [], { timeoutMs: 500 });
    expect(exchange).toMatchObject({
      ok: false,
      error: { stage: 'timeout', message: expect.stringContaining('TLS handshake') },
    });
    await eventually(() => expect(sockets[0]!.destroyed || sockets[0]!.readableEnded).toBe(true));
  });

  it('times out while its name is resolved', async () => {
    const exchange = await post(1, [], { timeoutMs: 60, lookup: () => new Promise(() => undefined) });
    expect(exchange).toMatchObject({
      ok: false,
      error: { stage: 'timeout', message: expect.stringContaining('resolving the name') },
    });
  });

  it('says resolve when the resolver fails in a way of its own', async () => {
    const lookup = () => Promise.reject(new Error('no name server'));
    expect(await post(1, [], { lookup })).toMatchObject({ ok: false, error: { stage: 'resolve' } });
  });
});
