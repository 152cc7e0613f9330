import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { isLoopback, refusedAddress } from './address-policy';
import { StageError } from './exchange';
import type { Lookup } from './resolver';
import { isLocalhost } from './vet-target';

/** While there is another address to try. */
const ADDRESS_TIMEOUT_MS = 3_000;
/** OpenSSL's own words stand among an address in memory and a line of its source: `…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:…`. */
const OPENSSL = /:error:[0-9A-F]{8}:[^:]*:[^:]*:([^:]+)/;

export interface DialSettings {
  readonly sandbox: boolean;
  readonly lookup: Lookup;
  /** For tests alone: further trust anchors, and where a vetted address is played by the test's own server. */
  readonly forTests?: { readonly ca?: readonly string[]; readonly reroute?: (address: string) => string };
}

/** One connection being made: its stage, for the message of a time-out, and the socket to destroy then. */
export interface Dialling {
  stage: 'resolve' | 'connect' | 'tls';
  socket?: Socket;
  cancelled: boolean;
}

export interface DialTarget {
  readonly secure: boolean;
  /** Without brackets and trailing dot. */
  readonly host: string;
  readonly port: number;
}

/**
 * Makes one connection to a target: resolves, vets EVERY address, dials one of those it vetted and nothing else. The name
 * is used for SNI and for the certificate only. So a name that changes between check and use gains nothing.
 */
export async function dial(target: DialTarget, settings: DialSettings, dialling: Dialling): Promise<Socket> {
  const addresses = await vettedAddresses(target.host, settings);
  for (const [index, address] of addresses.entries()) {
    if (dialling.cancelled) break;
    try {
      return await open(target, address, settings, dialling, index < addresses.length - 1);
    } catch (error) {
      const isLast = index === addresses.length - 1;
      if (isLast || (error as StageError).stage !== 'connect') throw error;
    }
  }
  throw new StageError('aborted', 'The exchange ended while connecting');
}

/** What a host may be dialled at. Rejects with stage `refused` when any of its addresses is not public. */
async function vettedAddresses(host: string, { sandbox, lookup }: DialSettings): Promise<readonly string[]> {
  if (isIP(host)) {
    const kind = sandbox && isLoopback(host) ? undefined : refusedAddress(host);
    if (kind) throw new StageError('refused', `${host} is not a public address (${kind})`);
    return [host];
  }
  if (isLocalhost(host)) {
    if (!sandbox) throw new StageError('refused', `${host} is a name of this machine`);
    return ['127.0.0.1', '::1'];
  }
  const addresses = await lookup(host);
  if (addresses.length === 0) throw new StageError('resolve', `${host} has no address`);
  for (const address of addresses) {
    const kind = refusedAddress(address);
    // Which one it is stays here: whoever may register a target would have the network's own names resolved.
    if (kind) throw new StageError('refused', `${host} resolves to an address that is not public (${kind})`);
  }
  // IPv4 first: a machine without IPv6 then wastes no attempt.
  return [...addresses].sort((a, b) => isIP(a) - isIP(b));
}

function open(
  { secure, host, port }: DialTarget,
  address: string,
  { forTests }: DialSettings,
  dialling: Dialling,
  hasNext: boolean,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    dialling.stage = 'connect';
    const at = { host: forTests?.reroute?.(address) ?? address, port, autoSelectFamily: false };
    const socket = secure
      ? connectTls({
          ...at,
          // SNI takes names only (RFC 6066 §3); a literal address is checked against the certificate's IP entries.
          servername: isIP(host) ? '' : host,
          // Said, so that Node's own switch in the environment (NODE_TLS_REJECT_UNAUTHORIZED) has no say.
          rejectUnauthorized: true,
          ALPNProtocols: ['http/1.1'],
          ...(forTests?.ca && { ca: [...forTests.ca] }),
        })
      : connectTcp(at);
    dialling.socket = socket;
    const timer = hasNext ? setTimeout(() => socket.destroy(new Error('timed out')), ADDRESS_TIMEOUT_MS) : undefined;
    const fail = (error: Error) => {
      clearTimeout(timer);
      const { code, message } = error as NodeJS.ErrnoException;
      const said = OPENSSL.exec(message)?.[1] ?? message;
      reject(new StageError(dialling.stage, `${address} port ${port}: ${said || code || 'failed'}`));
    };
    const closed = () => fail(new Error('closed by the other side'));
    const done = () => {
      clearTimeout(timer);
      socket.off('error', fail).off('close', closed);
      socket.setNoDelay(true);
      resolve(socket);
    };
    socket.once('error', fail).once('close', closed);
    socket.once('connect', () => {
      if (!secure) return done();
      clearTimeout(timer);
      dialling.stage = 'tls';
    });
    if (secure) socket.once('secureConnect', done);
  });
}
