import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * Blocks that `ipaddr.js` takes for ordinary unicast, and that no webhook may reach (IANA special-purpose registries,
 * and services of hosts that answer on public addresses). The specs hold the whole list, the library's blocks included.
 */
const FURTHER: readonly (readonly [cidr: string, kind: string])[] = [
  ['168.63.129.16/32', 'metadata'],
  ['2620:4f:8000::/48', 'as112'],
];
const further = FURTHER.map(([cidr, kind]) => ({ block: ipaddr.parseCIDR(cidr), kind }));

/** The one IPv6 block that is handed out for the public internet (RFC 4291 §2.4, IANA): all else is refused unseen. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

/** ISATAP (RFC 5214): an interface id that carries an IPv4 address which a tunnel would dial. */
const isIsatap = ({ parts }: ipaddr.IPv6): boolean => (parts[4]! & 0xfdff) === 0 && parts[5] === 0x5efe;

const words: Readonly<Record<string, string>> = {
  linkLocal: 'link-local',
  carrierGradeNat: 'shared (CGNAT)',
  uniqueLocal: 'unique local',
  ipv4Mapped: 'IPv4-mapped',
  rfc6052: 'NAT64',
  rfc6145: 'IPv4-translated',
  teredo: 'Teredo',
};

const parse = (address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined =>
  isIP(address) === 0 || address.includes('%') ? undefined : ipaddr.parse(address);

/**
 * Why a webhook must not be sent to this address (its textual form, as DNS or a URL gives it), in two or three words;
 * undefined when it is a public one. Everything that is not provably public is refused: a form that embeds an
 * IPv4 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) is refused whatever it embeds.
 */
export function refusedAddress(address: string): string | undefined {
  const ip = parse(address);
  if (!ip) return 'not an address';
  for (const { block, kind } of further) if (ip.kind() === block[0].kind() && ip.match(block)) return kind;
  const range = ip.range();
  if (range !== 'unicast') return words[range] ?? range;
  if (ip.kind() === 'ipv6') {
    const six = ip as ipaddr.IPv6;
    if (!six.match(globalUnicast)) return 'reserved';
    if (isIsatap(six)) return 'ISATAP';
  }
  return undefined;
}

/** 127.0.0.0/8 or ::1, and no form that embeds one: what the sandbox may send to. */
export const isLoopback = (address: string): boolean => parse(address)?.range() === 'loopback';
