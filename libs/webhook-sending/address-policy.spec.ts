import ipaddr from 'ipaddr.js';
import { isLoopback, refusedAddress } from './address-policy';

/** Every block that no webhook may reach: the IANA special-purpose registries, and what clouds serve their hosts. */
const IPV4: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '255.255.255.255/32',
];
const IPV6: readonly string[] = [
  '::/128',
  '::1/128',
  '::/96',
  '::ffff:0:0/96',
  '::ffff:0:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '0::/3',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '2620:4f:8000::/48',
  '3fff::/20',
  '4000::/2',
  '5f00::/16',
  '8000::/1',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

const toNumber = (bytes: number[]): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const toAddress = (value: bigint, bytes: number): string =>
  ipaddr
    .fromByteArray(Array.from({ length: bytes }, (_, at) => Number((value >> BigInt(8 * (bytes - 1 - at))) & 255n)))
    .toString();

interface Block {
  readonly cidr: string;
  readonly first: bigint;
  readonly last: bigint;
}
const blockOf = (cidr: string): Block => {
  const [address, bits] = ipaddr.parseCIDR(cidr);
  const bytes = address.toByteArray();
  const first = toNumber(bytes);
  return { cidr, first, last: first + (1n << BigInt(8 * bytes.length - bits)) - 1n };
};

describe.each([
  ['IPv4', 4, IPV4.map(blockOf)],
  ['IPv6', 16, IPV6.map(blockOf)],
] as const)('the address policy for %s', (_name, bytes, blocks) => {
  const isListed = (value: bigint) => blocks.some(({ first, last }) => value >= first && value <= last);
  const end = (1n << BigInt(8 * bytes)) - 1n;

  it.each(blocks.map((block) => [block.cidr, block] as const))(
    'refuses %s from its first to its last address',
    (_cidr, { first, last }) => {
      for (const value of [first, (first + last) / 2n, last])
        expect(refusedAddress(toAddress(value, bytes))).toBeDefined();
    },
  );

  it.each(blocks.map((block) => [block.cidr, block] as const))(
    'lets the public neighbours of %s pass',
    (_cidr, { first, last }) => {
      for (const value of [first - 1n, last + 1n]) {
        if (value < 0n || value > end) continue;
        expect([toAddress(value, bytes), refusedAddress(toAddress(value, bytes)) !== undefined]).toEqual([
          toAddress(value, bytes),
          isListed(value),
        ]);
      }
    },
  );
});

describe('the address policy', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '93.184.215.14',
    '2606:4700:4700::1111',
    '2a00:1450:4001:81b::200e',
    // No interface id of ISATAP, for all that it looks alike.
    '2a00:1450:4001:81b:1:5efe:7f00:1',
  ])('lets %s pass', (address) => {
    expect(refusedAddress(address)).toBeUndefined();
  });

  it.each([
    '::ffff:8.8.8.8',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '::8.8.8.8',
    '64:ff9b::8.8.8.8',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2002:808:808::1',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    '2a00:1450:4001:81b:0:5efe:7f00:1',
    '2a00:1450:4001:81b:200:5efe:a00:1',
  ])('refuses %s, which carries an IPv4 address, whatever that is', (address) => {
    expect(refusedAddress(address)).toBeDefined();
  });

  it.each(['fe80::1%eth0', 'fe80::1%25eth0', '2606:4700::1111%1', '::1%lo'])('refuses the scoped %s', (address) => {
    expect(refusedAddress(address)).toBeDefined();
  });

  it.each(['', 'localhost', '127.1', '0x7f.0.0.1', '2130706433', '0177.0.0.1', '1.2.3', '1.2.3.4 ', '１.１.１.１'])(
    'refuses %p, which no resolver gives',
    (address) => {
      expect(refusedAddress(address)).toBe('not an address');
    },
  );

  it('names the metadata services of clouds among the refused', () => {
    for (const address of ['169.254.169.254', '168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254'])
      expect(refusedAddress(address)).toBeDefined();
  });

  it('says what kind of address it refuses', () => {
    expect(refusedAddress('10.0.0.1')).toBe('private');
    expect(refusedAddress('169.254.169.254')).toBe('link-local');
    expect(refusedAddress('100.64.0.1')).toBe('shared (CGNAT)');
    expect(refusedAddress('::ffff:10.0.0.1')).toBe('IPv4-mapped');
    expect(refusedAddress('fc00::1')).toBe('unique local');
  });

  it('takes for loopback what is plainly so, and nothing that embeds it', () => {
    for (const address of ['127.0.0.1', '127.255.255.255', '::1', '0:0:0:0:0:0:0:1'])
      expect(isLoopback(address)).toBe(true);
    for (const address of [
      '126.255.255.255',
      '128.0.0.0',
      '0.0.0.0',
      '::',
      '::ffff:127.0.0.1',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      '::1%lo',
    ])
      expect(isLoopback(address)).toBe(false);
  });
});
