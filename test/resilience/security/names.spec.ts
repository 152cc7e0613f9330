import { createServer } from 'node:http';
import { NameServer } from '../../harness/name-server';
import { Standalone } from '../../harness/standalone';
import type { Client } from '../../harness/client';
import { attempt, Ground } from './ground';

const PUBLIC = '93.184.215.14';
const PUBLIC6 = '2606:2800:21f:cb07:6820:80da:af6b:8b2c';

/** Names with their IPv4 and IPv6 addresses. Where there is a public one it must never be dialled: the others forbid it. */
const REFUSED: Readonly<Record<string, readonly [four: readonly string[], six: readonly string[]]>> = {
  'public-then-private': [[PUBLIC, '10.0.0.7'], []],
  'private-then-public': [['192.168.0.1', PUBLIC], []],
  'public-and-loopback': [[PUBLIC, '127.0.0.1'], []],
  'public-and-loopback-by-ipv6': [[PUBLIC], ['::1']],
  'public-and-link-local-by-ipv6': [[PUBLIC], ['fe80::1']],
  'public-and-mapped': [[PUBLIC], ['::ffff:169.254.169.254']],
  'two-public-and-shared': [[PUBLIC, '1.1.1.1', '100.64.0.1'], [PUBLIC6]],
  'public-by-ipv6-and-private': [['172.16.0.9'], [PUBLIC6]],
  'public-by-ipv6-and-unique-local': [[], [PUBLIC6, 'fd00::1']],
  metadata: [['169.254.169.254'], []],
  'metadata-by-ipv6': [[], ['fd00:ec2::254']],
  'host-of-azure': [['168.63.129.16'], []],
  unspecified: [['0.0.0.0'], []],
  'unspecified-by-ipv6': [[], ['::']],
  broadcast: [['255.255.255.255'], []],
  nat64: [[], ['64:ff9b::7f00:1']],
  'six-to-four': [[], ['2002:7f00:1::']],
  // Loopback is trusted in the sandbox by its own name only.
  loopback: [['127.0.0.1'], []],
};

describe('a target whose name somebody else’s name server answers for', () => {
  const ground = new Ground();
  /** By name, what it resolves to at the nth time. */
  const changing: Record<string, (nth: number) => readonly string[] | undefined> = {};
  let dns: NameServer;
  let standalone: Standalone;
  let client: Client;
  let port: number;
  let reached = 0;

  beforeAll(async () => {
    dns = await NameServer.open((name, type, nth) => {
      const label = name.slice(0, name.indexOf('.'));
      const change = changing[label];
      if (change) return type === 'A' ? change(nth) : change(nth) && [];
      const [four, six] = REFUSED[label] ?? [];
      return type === 'A' ? four : six;
    });
    port = await ground.listen(createServer((_, response) => void (reached++, response.end())));
    standalone = await Standalone.start({ RETRY_SCALE: '0.02', WEBHOOK_NAME_SERVERS: `127.0.0.1:${dns.port}` });
    client = standalone.client();
  });
  afterAll(async () => {
    await standalone.remove();
    dns.close();
    ground.close();
    expect(reached).toBe(0);
  });

  it.each(Object.keys(REFUSED))('is not sent to: %s', async (label) => {
    const { attempts } = await attempt(client, `https://${label}.example.org:${port}/hook`);
    const { error } = attempts[0]!;
    expect(error).toMatch(new RegExp(`^refused: ${label}\\.example\\.org resolves to an address that is not public`));
    for (const address of REFUSED[label]!.flat()) expect(error).not.toContain(address);
    expect(attempts[0]!.statusCode).toBeUndefined();
  });

  it('is asked for again at every attempt, and vetted again: what it changes to in between gains nothing', async () => {
    changing['fickle'] = (nth) => [undefined, ['10.0.0.1'], ['127.0.0.1'], ['169.254.169.254']][(nth - 1) % 4];
    const { attempts } = await attempt(client, `https://fickle.example.org:${port}/hook`, {
      attempts: 3,
      within: 60_000,
    });
    expect(attempts.slice(0, 3).map(({ error }) => error)).toEqual([
      expect.stringMatching(/^resolve: fickle\.example\.org has no address/),
      expect.stringMatching(/^refused: fickle\.example\.org resolves to .*\(private\)$/),
      expect.stringMatching(/^refused: fickle\.example\.org resolves to .*\(loopback\)$/),
    ]);
    // An answer that may be kept for an hour is not.
    expect(dns.asked.filter((question) => question === 'A fickle.example.org').length).toBeGreaterThanOrEqual(3);
  });

  it('is vetted by a test of the endpoint too', async () => {
    const { id } = await client.endpoint(`https://private-then-public.example.org:${port}/hook`);
    const { body } = await client.post<{ delivered: boolean; error: string }>(`/webhooks/endpoints/${id}/test`);
    expect(body).toMatchObject({ delivered: false, error: expect.stringMatching(/^refused: .*\(private\)$/) });
  });

  it('fails at resolving when there is no such name', async () => {
    const { status, attempts } = await attempt(client, `https://nobody.example.org:${port}/hook`);
    expect(status).toBe('retrying');
    expect(attempts[0]!.error).toMatch(/^resolve: nobody\.example\.org has no address/);
  });
});
