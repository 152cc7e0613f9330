import { createServer as createHttp } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '#testing';
import type { Client } from '../../harness/client';
import { Standalone } from '../../harness/standalone';
import type { Delivery } from './ground';

const SECRET_KEY = Buffer.alloc(32, 7).toString('base64');

/** Of every refused IPv4 block (IANA's special-purpose registry, metadata of clouds): its first, one in it, its last. */
const IPV4: Readonly<Record<string, readonly string[]>> = {
  'this network': ['0.0.0.0', '0.1.2.3', '0.255.255.255'],
  private: ['10.0.0.0', '10.1.2.3', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.1', '192.168.255.255'],
  shared: ['100.64.0.0', '100.100.100.200', '100.127.255.255'],
  'link-local': ['169.254.0.0', '169.254.169.254', '169.254.255.255'],
  metadata: ['168.63.129.16'],
  protocol: ['192.0.0.0', '192.0.0.192', '192.0.0.255'],
  documentation: ['192.0.2.0', '192.0.2.255', '198.51.100.7', '203.0.113.7'],
  as112: ['192.31.196.1', '192.175.48.1'],
  amt: ['192.52.193.1'],
  'six-to-four relay': ['192.88.99.1'],
  benchmarking: ['198.18.0.0', '198.19.255.255'],
  multicast: ['224.0.0.0', '239.255.255.255'],
  reserved: ['240.0.0.0', '255.255.255.254'],
  broadcast: ['255.255.255.255'],
};
const LOOPBACK = ['127.0.0.1', '127.0.0.0', '127.1.2.3', '127.255.255.255'];

const bytesOf = (address: string): number[] => address.split('.').map(Number);
const numberOf = (address: string): number => bytesOf(address).reduce((sum, byte) => sum * 256 + byte, 0);
const octal = (value: number): string => (value === 0 ? '0' : `0${value.toString(8)}`);
/** All the ways in which browsers, inet_aton and people write one IPv4 address as the host of a URL. */
function notationsOf(address: string): string[] {
  const bytes = bytesOf(address);
  const [a, b, c, d] = bytes as [number, number, number, number];
  const low = c * 256 + d;
  return [
    address,
    `${address}.`,
    String(numberOf(address)),
    `0x${numberOf(address).toString(16)}`,
    octal(numberOf(address)),
    bytes.map((byte) => `0x${byte.toString(16)}`).join('.'),
    bytes.map(octal).join('.'),
    `${a}.${b}.${low}`,
    `${a}.${b * 65_536 + low}`,
    `0x${a.toString(16)}.${octal(b)}.${low}`,
    [...address].map((sign) => (sign === '.' ? sign : `%3${sign}`)).join(''),
    address.replaceAll('.', '%2e'),
    [...address].map((sign) => (sign === '.' ? sign : String.fromCodePoint(0xff10 + Number(sign)))).join(''),
    address.replaceAll('.', '\u3002'),
  ];
}
/** IPv6 forms that carry an IPv4 address: refused whatever it is. */
function carriersOf(address: string): string[] {
  const [a, b, c, d] = bytesOf(address) as [number, number, number, number];
  const [high, low] = [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
  return [
    `[::ffff:${address}]`,
    `[::ffff:${high}:${low}]`,
    `[0:0:0:0:0:ffff:${high}:${low}]`,
    `[::${address}]`,
    `[::ffff:0:${address}]`,
    `[64:ff9b::${address}]`,
    `[64:ff9b:1::${high}:${low}]`,
    `[2002:${high}:${low}::]`,
    `[2001:0:${high}:${low}::1]`,
    `[2a00:1450:4001:81b:0:5efe:${high}:${low}]`,
  ];
}
/** Of every refused IPv6 block. */
const IPV6 = [
  '[::]',
  '[0:0:0:0:0:0:0:0]',
  '[100::1]',
  '[2001::1]',
  '[2001:db8::1]',
  '[2001:DB8:ffff:ffff:ffff:ffff:ffff:ffff]',
  '[2620:4f:8000::1]',
  '[3fff::1]',
  '[4000::1]',
  '[5f00::1]',
  '[8000::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]',
  '[fe80::1]',
  '[fe80:0:0:0:0:0:0:1]',
  '[febf::1]',
  '[fec0::1]',
  '[ff02::1]',
];
const SCOPED = ['[fe80::1%25eth0]', '[fe80::1%eth0]', '[::1%25lo]', '[2606:4700::1111%251]'];

const REFUSED_EVERYWHERE: readonly string[] = [
  'https://user:pass@hooks.example.org/',
  'https://user@hooks.example.org/',
  'https://@hooks.example.org/',
  'https://8.8.8.8@10.0.0.1/',
  'https://hooks.example.org:0/',
  'https://hooks.example.org/#fragment',
  'https://hooks.example.org/\r\nx-injected: 1',
  'https://hooks.example.org/\nx-injected: 1',
  'https://hooks.example.org%0d%0ax-injected: 1/',
  'https://hooks.example.org\\@10.0.0.1/',
  'http://hooks.example.org/',
  'http://8.8.8.8/',
  'ftp://hooks.example.org/',
  'file:///etc/passwd',
  'gopher://8.8.8.8/',
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
async function expectRefused(client: Client, ...targets: string[]): Promise<void> {
  for (const target of targets) {
    const { status, body } = await register(client, target);
    expect([target, status, body.code]).toEqual([target, 422, 'TARGET_REFUSED']);
    expect(body.detail).toBeTruthy();
  }
}
const https = (host: string): string => `https://${host}/`;

/** What is refused wherever it runs. */
function refusals(client: () => Client): void {
  it.each(Object.entries(IPV4))('refuses %s addresses in every notation', async (_kind, addresses) => {
    await expectRefused(client(), ...addresses.flatMap(notationsOf).map(https));
  });

  it('refuses IPv4 addresses that IPv6 forms carry, public ones too', async () => {
    await expectRefused(
      client(),
      ...['127.0.0.1', '169.254.169.254', '10.0.0.1', '8.8.8.8'].flatMap(carriersOf).map(https),
    );
  });

  it('refuses what is not public of IPv6, and every scope', async () => {
    await expectRefused(client(), ...[...IPV6, ...SCOPED].map(https));
  });

  it.each(REFUSED_EVERYWHERE)('refuses the target %j', async (url) => {
    await expectRefused(client(), url);
  });
}

describe('the sandbox', () => {
  let standalone: Standalone;
  let client: Client;
  beforeAll(async () => {
    standalone = await Standalone.start({ RETRY_SCALE: '1' });
    client = standalone.client();
  });
  afterAll(() => standalone.remove());

  refusals(() => client);

  it.each([...LOOPBACK.slice(0, 1).flatMap(notationsOf), '127.9.9.9', '[::1]', 'localhost'])(
    'takes loopback as %j',
    async (host) => {
      for (const url of [`http://${host}:9/`, `https://${host}:9/`])
        expect((await register(client, url)).status).toBe(201);
    },
  );

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

  refusals(() => client);

  it('refuses loopback in every notation, by every name of this machine and of its network', async () => {
    await expectRefused(
      client,
      ...LOOPBACK.flatMap(notationsOf).map(https),
      ...['[::1]', '[0:0:0:0:0:0:0:1]', 'localhost'].map(https),
      ...LOCAL_NAMES,
    );
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
