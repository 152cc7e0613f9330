import { isIP } from 'node:net';
import { isLoopback, refusedAddress } from './address-policy';

export const MAX_URL_LENGTH = 2048;

export interface VettedTarget {
  readonly ok: true;
  /** The URL as it will be used: normalised by the WHATWG rules, so every notation of an address is its plain one. */
  readonly url: string;
}
export interface RefusedTarget {
  readonly ok: false;
  /** One sentence for people. */
  readonly reason: string;
}

const refused = (reason: string): RefusedTarget => ({ ok: false, reason });

// Ranges as code points, so that no invisible character stands in the source; a backslash is a slash to some parsers only.
const isForbiddenCharacter = (code: number): boolean => code <= 0x20 || code === 0x5c || (code >= 0x7f && code <= 0xa0);

function forbiddenCharacter(url: string): boolean {
  for (let at = 0; at < url.length; at++) if (isForbiddenCharacter(url.charCodeAt(at))) return true;
  return false;
}

/** Host of a URL without the brackets of IPv6 and the trailing dot of a rooted name. */
export const bareHost = ({ hostname }: URL): string => hostname.replace(/^\[|\]$|\.$/g, '');

/** `localhost` or a name under it: always this machine (RFC 6761 §6.3), whatever a resolver says. */
export const isLocalhost = (host: string): boolean => host === 'localhost' || host.endsWith('.localhost');

const isLocalName = (host: string): boolean => isLocalhost(host) || /(^|\.)(local|internal)$/.test(host);

/**
 * Whether a webhook may be registered for this URL (DESIGN §5.6, API.md "Settings"): https to anything that is not known to
 * be private. The sandbox alone takes loopback, and http only for it. Names are not resolved here: the sender vets
 * what they resolve to, for every connection.
 */
export function vetTarget(url: string, { sandbox }: { sandbox: boolean }): VettedTarget | RefusedTarget {
  if (typeof url !== 'string' || url === '') return refused('The URL is empty.');
  if (url.length > MAX_URL_LENGTH) return refused(`The URL is longer than ${MAX_URL_LENGTH} characters.`);
  if (forbiddenCharacter(url)) return refused('The URL holds a space, a control character or a backslash.');
  if (!URL.canParse(url)) return refused('This is not a URL.');
  const target = new URL(url);
  const { protocol } = target;
  if (protocol !== 'https:' && protocol !== 'http:') return refused('Only https:// is allowed.');
  if (url.includes('#')) return refused('The URL has a fragment, which is never sent.');
  const authority = /^[a-z]+:\/*([^/?]*)/i.exec(url)?.[1] ?? '';
  if (target.username || target.password || authority.includes('@')) return refused('The URL holds credentials.');
  if (target.port === '0') return refused('Port 0 is not a port.');
  const host = bareHost(target);
  if (host === '') return refused('The URL has no host.');
  if (host.split('.').includes('')) return refused('The host has an empty part.');
  const loopback = isIP(host) ? isLoopback(host) : host === 'localhost';
  if (sandbox && loopback) return { ok: true, url: target.href };
  if (protocol === 'http:') {
    return refused(sandbox ? 'http:// is allowed to loopback only; use https://.' : 'Only https:// is allowed.');
  }
  if (isIP(host)) {
    const kind = refusedAddress(host);
    return kind ? refused(`${host} is not a public address (${kind}).`) : { ok: true, url: target.href };
  }
  if (!sandbox && isLocalName(host)) return refused(`${host} is a name of this machine or network.`);
  return { ok: true, url: target.href };
}
