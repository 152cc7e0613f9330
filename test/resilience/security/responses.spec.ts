import { createServer as createTcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Client } from '../../harness/client';
import { Standalone } from '../../harness/standalone';
import { attempt, failedAt, Ground } from './ground';

/** What a contract's signer and HTTP itself put into a request; nothing else may be in it. */
const HEADERS = [
  'connection',
  'content-length',
  'content-type',
  'host',
  'user-agent',
  'webhook-id',
  'webhook-sequence',
  'webhook-signature',
  'webhook-timestamp',
];

describe('a receiver that means no good', () => {
  const ground = new Ground();
  let standalone: Standalone;
  let client: Client;
  beforeAll(async () => {
    standalone = await Standalone.start({ RETRY_SCALE: '1' });
    client = standalone.client();
  });
  afterAll(async () => {
    await standalone.remove();
    ground.close();
  });

  /** A target that speaks HTTP by hand: `talk` is called with the request as it came. */
  const raw = async (talk: (write: (text: string | Buffer) => void, head: string) => void): Promise<string> =>
    `http://127.0.0.1:${await ground.listen(
      createTcp((socket) => {
        socket.on('data', (chunk) => talk((text) => void socket.write(text), chunk.toString('latin1')));
      }),
    )}/hook`;
  /** Writes again and again until the other side has had enough. */
  const drip = (write: (text: string) => void, text: () => string): void => {
    const timer = setInterval(() => write(text()), 50);
    timer.unref();
  };

  it.each([301, 302, 303, 307, 308])(
    'is not followed with a %i, not even to a target that would be allowed',
    async (status) => {
      let followed = 0;
      const elsewhere = await ground.http((_, response) => void (followed++, response.end()));
      const target = await ground.http((_, response) => void response.writeHead(status, { location: elsewhere }).end());
      expect(await attempt(client, target)).toMatchObject({ status: 'retrying', attempts: [{ statusCode: status }] });
      expect(followed).toBe(0);
    },
  );

  it('is cut off when its response never ends', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'a');
    const target = await ground.http((_, response) => {
      const pour = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', pour).on('error', () => undefined);
      pour();
    });
    expect(await attempt(client, target)).toMatchObject({
      status: 'delivered',
      attempts: [{ statusCode: 200, response: 'a'.repeat(16_384) }],
    });
  });

  it.each(['gzip', 'deflate', 'br', 'gzip, gzip'])('has nothing inflated that it says is %s', async (encoding) => {
    const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024));
    const target = await ground.http(
      (_, response) => void response.writeHead(200, { 'content-encoding': encoding }).end(bomb),
    );
    const { status, attempts } = await attempt(client, target);
    expect(status).toBe('delivered');
    expect(attempts[0]!.response!.length).toBeLessThanOrEqual(16_384);
  });

  it('is given up when its headers never end, in one line or in many', async () => {
    const many = await raw((write) => {
      write('HTTP/1.1 200 OK\r\n');
      for (let n = 0; n < 50; n++) write(`x-${n}: ${'y'.repeat(8_000)}\r\n`);
    });
    expect(await attempt(client, many)).toEqual(failedAt('headers'));
    const one = await raw((write) => write(`HTTP/1.1 200 OK\r\nx-long: ${'y'.repeat(400_000)}`));
    expect(await attempt(client, one)).toEqual(failedAt('headers'));
  });

  it('is given up when it answers what is not HTTP, hangs up, or breaks its body off', async () => {
    expect(await attempt(client, await raw((write) => write('SSH-2.0-OpenSSH_9.9\r\n')))).toEqual(failedAt('headers'));
    const rude = `http://127.0.0.1:${await ground.listen(createTcp((socket) => void socket.once('data', () => socket.end())))}/hook`;
    expect(await attempt(client, rude)).toEqual(failedAt('headers'));
    const half = `http://127.0.0.1:${await ground.listen(
      createTcp(
        (socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')),
      ),
    )}/hook`;
    expect(await attempt(client, half)).toEqual(failedAt('body'));
  });

  it('buys no time by dripping headers or body, nor by saying nothing', async () => {
    const targets = await Promise.all([
      raw((write) => (write('HTTP/1.1 200 OK\r\n'), drip(write, () => `x-${Math.random()}: 1\r\n`))),
      raw((write) => (write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n'), drip(write, () => 'x'))),
      raw(() => undefined),
    ]);
    // The core contract gives fifteen seconds to the whole exchange.
    const deliveries = await Promise.all(targets.map((target) => attempt(client, target, { within: 80_000 })));
    for (const delivery of deliveries) {
      expect(delivery).toEqual(failedAt('timeout'));
      expect(delivery.attempts[0]!.durationMs).toBeGreaterThanOrEqual(14_900);
      expect(delivery.attempts[0]!.durationMs).toBeLessThan(20_000);
    }
  }, 120_000);

  it('is sent no header that a name or text could have brought in', async () => {
    let head = '';
    const target = await raw((write, request) => {
      head += request;
      write('HTTP/1.1 204 No Content\r\n\r\n');
    });
    const { id } = await client.endpoint(target, {
      eventTypes: ['account.connected'],
      description: 'a\r\nx-injected: 1',
    });
    await client.post(
      '/accounts',
      { platform: 'mastodon', username: 'eve\r\nx-injected: 1\r\n\r\n{}', profileId: 'prof\r\nx-injected: 1' },
      { headers: { 'x-correlation-id': 'x-injected: 1', 'idempotency-key': 'x-injected: 1' } },
    );
    await attempt(client, target);
    const [request, ...lines] = head.split('\r\n\r\n')[0]!.split('\r\n');
    expect(request).toBe('POST /hook HTTP/1.1');
    expect(lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase()).sort()).toEqual(HEADERS);
    await client.delete(`/webhooks/endpoints/${id}`);
  });

  it('that nobody plays fails to connect', async () => {
    const ended = createTcp();
    const port = await ground.listen(ended);
    await new Promise((done) => ended.close(done));
    expect(await attempt(client, `http://127.0.0.1:${port}/hook`)).toEqual(failedAt('connect'));
  });
});
