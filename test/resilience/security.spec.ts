import { readdirSync, readFileSync } from 'node:fs';
import { createServer as createHttps, type Server } from 'node:https';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { generate } from 'selfsigned';
import { eventually } from '#testing';
import type { Client } from '../harness/client';
import { Standalone } from '../harness/standalone';

interface Delivery {
  readonly id: string;
  readonly status: string;
  readonly attempts: readonly { statusCode?: number; error?: string; response?: string; durationMs: number }[];
}

const SECRET_KEY = Buffer.alloc(32, 7).toString('base64');

const REFUSED_EVERYWHERE: readonly string[] = [
  'https://10.0.0.1/',
  'https://172.16.0.1/',
  'https://192.168.1.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://2852039166/',
  'https://0xa9.0xfe.0xa9.0xfe/',
  'https://0251.0376.0251.0376/',
  'https://100.64.0.1/',
  'https://168.63.129.16/',
  'https://0.0.0.0/',
  'https://0/',
  'https://192.0.2.1/',
  'https://198.51.100.7/',
  'https://203.0.113.7/',
  'https://198.18.0.1/',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  'https://[::]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:a9fe:a9fe]/',
  'https://[::127.0.0.1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[2002:7f00:1::]/',
  'https://[2001:db8::1]/',
  'https://[fe80::1]/',
  'https://[fe80::1%25eth0]/',
  'https://[fc00::1]/',
  'https://[fd00:ec2::254]/',
  'https://[ff02::1]/',
  'https://１０.0.0.1/',
  'https://user:pass@hooks.example.org/',
  'https://@hooks.example.org/',
  'https://hooks.example.org:0/',
  'https://hooks.example.org/#fragment',
  'https://hooks.example.org/\r\nx-injected: 1',
  'https://hooks.example.org\\@10.0.0.1/',
  'http://hooks.example.org/',
  'http://8.8.8.8/',
  'ftp://hooks.example.org/',
  'file:///etc/passwd',
];
/** Taken in the sandbox alone. */
const LOOPBACK: readonly string[] = [
  'http://127.0.0.1:9/',
  'https://127.0.0.1:9/',
  'http://127.1:9/',
  'http://2130706433:9/',
  'http://0x7f.0.0.1:9/',
  'http://0177.0.0.1:9/',
  'http://１２７.0.0.1:9/',
  'http://127.0.0.1.:9/',
  'http://127.9.9.9:9/',
  'http://[::1]:9/',
  'http://localhost:9/',
];
const LOCAL_NAMES: readonly string[] = [
  'https://a.localhost/',
  'https://printer.local/',
  'https://db.internal/',
  'https://metadata.google.internal/',
];

const register = (client: Client, targetUrl: string) =>
  client.post<{ code?: string; detail?: string }>('/webhooks/endpoints', {
    targetUrl,
    eventTypes: ['account.connected'],
    contract: 'core',
  });
const expectRefused = async (client: Client, targetUrl: string): Promise<void> => {
  const { status, body } = await register(client, targetUrl);
  expect([targetUrl, status, body.code]).toEqual([targetUrl, 422, 'TARGET_REFUSED']);
  expect(body.detail).toBeTruthy();
};

describe('the sandbox', () => {
  let standalone: Standalone;
  let client: Client;
  const closing: (() => void)[] = [];

  beforeAll(async () => {
    standalone = await Standalone.start({ RETRY_SCALE: '1' });
    client = standalone.client();
  });
  afterAll(async () => {
    for (const close of closing) close();
    await standalone.remove();
  });

  async function listen(server: TcpServer | Server): Promise<number> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((up) => server.listen(0, '127.0.0.1', up));
    closing.push(() => {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    });
    return (server.address() as AddressInfo).port;
  }
  const http = async (listener: RequestListener): Promise<string> =>
    `http://127.0.0.1:${await listen(createHttp(listener))}/hook`;
  /** Registers a target, lets one event happen, and waits until its delivery has been tried. */
  async function attempt(targetUrl: string): Promise<Delivery> {
    const { id: endpointId } = await client.endpoint(targetUrl, { eventTypes: ['account.connected'] });
    await client.account('security', 'mastodon');
    return eventually(async () => {
      const { data } = (await client.get<{ data: Delivery[] }>(`/webhooks/deliveries?endpointId=${endpointId}`)).body;
      const delivery = (await client.get<Delivery>(`/webhooks/deliveries/${data[0]!.id}`)).body;
      expect(delivery.status).not.toBe('pending');
      await client.delete(`/webhooks/endpoints/${endpointId}`);
      return delivery;
    });
  }

  it.each(REFUSED_EVERYWHERE)('refuses the target %j', async (url) => {
    await expectRefused(client, url);
  });

  it.each(LOOPBACK)('takes loopback as %j', async (url) => {
    expect((await register(client, url)).status).toBe(201);
  });

  it('refuses a target that an endpoint is changed to', async () => {
    const { id } = await client.endpoint('http://127.0.0.1:9/');
    for (const targetUrl of ['https://169.254.169.254/', 'https://user:pass@hooks.example.org/', 'http://8.8.8.8/']) {
      const answer = await client.patch(`/webhooks/endpoints/${id}`, { targetUrl });
      expect(answer).toMatchObject({ status: 422, body: { code: 'TARGET_REFUSED' } });
    }
    expect((await client.get(`/webhooks/endpoints/${id}`)).body).toMatchObject({ targetUrl: 'http://127.0.0.1:9/' });
  });

  it('refuses a URL that is too long, as bad input', async () => {
    expect(await register(client, `https://hooks.example.org/${'a'.repeat(2_048)}`)).toMatchObject({ status: 400 });
  });

  it('refuses private targets whatever the contract', async () => {
    for (const contract of ['postiz', 'posteverywhere', 'posternity', 'post-ez', 'standard', 'cloudevents']) {
      const body = { targetUrl: 'https://10.0.0.1/', eventTypes: ['*'], contract };
      expect(await client.post('/webhooks/endpoints', body)).toMatchObject({
        status: 422,
        body: { code: 'TARGET_REFUSED' },
      });
    }
  });

  it('does not follow a redirect, not even to a target that would be allowed', async () => {
    let followed = 0;
    const elsewhere = await http((_, response) => void (followed++, response.end()));
    const delivery = await attempt(
      await http((_, response) => void response.writeHead(307, { location: elsewhere }).end()),
    );
    expect(delivery).toMatchObject({ status: 'retrying', attempts: [{ statusCode: 307 }] });
    expect(followed).toBe(0);
  });

  it('refuses a certificate that nobody vouches for, though the target is loopback', async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      algorithm: 'sha256',
    });
    let reached = 0;
    const port = await listen(createHttps({ key, cert }, (_, response) => void (reached++, response.end())));
    const delivery = await attempt(`https://localhost:${port}/hook`);
    expect(delivery).toMatchObject({
      status: 'retrying',
      attempts: [{ error: expect.stringMatching(/^tls: .*self.signed/i) }],
    });
    expect(reached).toBe(0);
  });

  it('cuts off a response that never ends, and does not inflate one that is compressed', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'a');
    const endless = await attempt(
      await http((_, response) => {
        const pour = () => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on('drain', pour).on('error', () => undefined);
        pour();
      }),
    );
    expect(endless).toMatchObject({
      status: 'delivered',
      attempts: [{ statusCode: 200, response: 'a'.repeat(16_384) }],
    });
    const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024));
    const packed = await attempt(
      await http((_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)),
    );
    expect(packed.status).toBe('delivered');
    expect(packed.attempts[0]!.response!.length).toBeLessThanOrEqual(16_384);
  });

  it('gives up on headers that never end', async () => {
    const port = await listen(
      createTcp((socket) => {
        const timer = setInterval(() => socket.write(`x-${Math.random()}: ${'y'.repeat(8_000)}\r\n`), 1);
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n')).on('close', () => clearInterval(timer));
      }),
    );
    const delivery = await attempt(`http://127.0.0.1:${port}/hook`);
    expect(delivery).toMatchObject({ status: 'retrying', attempts: [{ error: expect.stringMatching(/^headers: /) }] });
  });

  it('names the stage when a name does not resolve', async () => {
    const { id } = await client.endpoint('https://no-such-name.invalid/hook');
    const { body } = await client.post<{ delivered: boolean; error: string }>(`/webhooks/endpoints/${id}/test`);
    expect(body).toMatchObject({ delivered: false, error: expect.stringMatching(/^resolve: /) });
  });

  it('shows nothing of one workspace to another', async () => {
    const { id: endpoint } = await client.endpoint('http://127.0.0.1:9/');
    const { id: account } = await client.account('mine');
    const { id: post } = await client.schedule(account, { scheduledAt: '2031-01-01T00:00:00Z' });
    const { apiKey } = await client.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Others' });
    const stranger = standalone.client(apiKey);
    for (const path of [
      `/webhooks/endpoints/${endpoint}`,
      `/accounts/${account}`,
      `/posts/${post}`,
      `/posts/${post}/results`,
    ])
      expect([path, (await stranger.get(path)).status]).toEqual([path, 404]);
    for (const path of [
      `/webhooks/endpoints/${endpoint}/test`,
      `/webhooks/endpoints/${endpoint}/rotate-secret`,
      `/posts/${post}/cancel`,
    ])
      expect([path, (await stranger.post(path)).status]).toEqual([path, 404]);
    for (const path of [
      '/accounts',
      '/posts',
      '/webhooks/endpoints',
      '/webhooks/deliveries',
      '/audit-log?entityType=post',
    ])
      expect([path, (await stranger.get<{ data: unknown[] }>(path)).body.data]).toEqual([path, []]);
    expect((await client.get(`/posts/${post}`)).body).toMatchObject({ status: 'scheduled' });
  });

  it('writes no secret in clear: not on disk, not in its log, not in an answer after the first', async () => {
    const endpoint = await client.endpoint('http://127.0.0.1:9/');
    const { key } = await client.must<{ key: string }>(
      201,
      'POST',
      '/api-keys',
      { name: 'audit', scopes: ['read'] },
      { headers: { 'idempotency-key': 'once' } },
    );
    const { signingSecret } = await client.must<{ signingSecret: string }>(
      200,
      'POST',
      `/webhooks/endpoints/${endpoint.id}/rotate-secret`,
    );
    const again = await client.get(`/webhooks/endpoints/${endpoint.id}`);
    expect(again.text).not.toContain('whsec_');
    // What a stopped system left behind is all that it ever wrote.
    await standalone.program.stop();
    const disk = contents(standalone.dataDir);
    for (const secret of [endpoint.signingSecret, signingSecret, key]) {
      // Secrets may be kept with or without what tells their kind.
      const bare = secret.slice(secret.indexOf('_') + 1);
      expect(disk.filter(({ bytes }) => bytes.includes(bare)).map(({ path }) => path)).toEqual([]);
      expect(standalone.program.lines.filter((line) => line.includes(bare))).toEqual([]);
    }
    expect(disk.some(({ bytes }) => bytes.includes(endpoint.id))).toBe(true);
    await standalone.start();
  });
});

describe('production', () => {
  const env: Record<string, string> = { POSTLEDGER_SECRET_KEY: SECRET_KEY, RETRY_SCALE: '1' };
  let standalone: Standalone;
  let client: Client;
  let reached = 0;
  const receiver = createHttp((request, response) => {
    request.resume();
    reached++;
    response.end();
  });
  let target: string;

  beforeAll(async () => {
    await new Promise<void>((up) => receiver.listen(0, '127.0.0.1', up));
    target = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
    standalone = await Standalone.start(env);
    client = standalone.client();
    const { id } = await client.endpoint(target, { eventTypes: ['account.connected'] });
    await client.account('before');
    await eventually(() => expect(reached).toBe(1));
    expect((await client.get(`/webhooks/endpoints/${id}`)).status).toBe(200);
    await standalone.program.stop();
    // The settings of the next start.
    env['POSTLEDGER_MODE'] = 'production';
    await standalone.start();
  });
  afterAll(async () => {
    await standalone.remove();
    receiver.close();
    receiver.closeAllConnections();
  });

  it.each([...REFUSED_EVERYWHERE, ...LOOPBACK, ...LOCAL_NAMES])('refuses the target %j', async (url) => {
    await expectRefused(client, url);
  });

  it('does not send to loopback, though the endpoint was registered when this was a sandbox', async () => {
    await client.account('after');
    await eventually(async () => {
      const { data } = (await client.get<{ data: Delivery[] }>('/webhooks/deliveries?limit=1')).body;
      const newest = (await client.get<Delivery>(`/webhooks/deliveries/${data[0]!.id}`)).body;
      expect(newest).toMatchObject({ status: 'retrying', attempts: [{ error: expect.stringMatching(/^refused: /) }] });
    });
    expect(reached).toBe(1);
  });

  it('refuses a body over 256 KiB before it looks at it', async () => {
    const answer = await client.post('/accounts', {
      platform: 'mastodon',
      username: 'a'.repeat(300 * 1024),
      profileId: 'p',
    });
    expect(answer.status).toBe(413);
  });
});

function contents(folder: string): { path: string; bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => ({ path: join(parentPath, name), bytes: readFileSync(join(parentPath, name)) }));
}
