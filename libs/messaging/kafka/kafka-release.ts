import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Connection } from './kafka-settings';

/**
 * The release that brought each level of the feature `metadata.version`, by the first one (MetadataVersion.java of Apache Kafka
 * 4.1). A broker announces the greatest it can, so it is of that release; patch releases bring none.
 */
const RELEASES: readonly (readonly [level: number, release: string])[] = [
  [28, 'newer than 4.1'],
  [26, '4.1'],
  [22, '4.0'],
  [21, '3.9'],
  [20, '3.8'],
  [15, '3.7'],
  [12, '3.6'],
  [9, '3.5'],
  [8, '3.4'],
  [4, '3.3'],
];
const TIMEOUT_MS = 3_000;
const API_VERSIONS = 18;
/** The first version of the request whose answer names features; brokers since 2.4 know it. */
const WITH_FEATURES = 3;
const SUPPORTED_FEATURES = 0;

/** The release that came with a `metadata.version`; undefined for one before the first we know. */
export const releaseOf = (level: number): string | undefined => RELEASES.find(([first]) => level >= first)?.[1];

/**
 * The release of a broker (`4.1`), as its answer to ApiVersions tells it, which is given to everybody before they say who they
 * are. kafkajs asks for an older version of it, without features. Undefined when the broker does not tell: before KRaft none did.
 */
export async function askRelease({ brokers, ssl }: Connection): Promise<string | undefined> {
  for (const broker of brokers) {
    const answer = await ask(broker, ssl).catch(() => undefined);
    const level = answer && metadataLevel(answer);
    if (level !== undefined) return releaseOf(level);
  }
  return undefined;
}

/** Sends the request and resolves with the answer, without its length and correlation id. */
function ask(broker: string, ssl: Connection['ssl']): Promise<Buffer> {
  const at = broker.lastIndexOf(':');
  const [host, port] = [broker.slice(0, at).replace(/^\[|\]$/g, ''), Number(broker.slice(at + 1))];
  const socket: Socket = ssl
    ? connectTls({
        ...(ssl === true ? {} : (ssl as ConnectionOptions)),
        host,
        port,
        ...(isIP(host) === 0 && { servername: host }),
      })
    : connect({ host, port });
  const answer = new Promise<Buffer>((resolve, reject) => {
    let heard = Buffer.alloc(0);
    socket.once(ssl ? 'secureConnect' : 'connect', () => socket.write(request()));
    socket.on('data', (data) => {
      heard = Buffer.concat([heard, data]);
      if (heard.length >= 4 && heard.length >= 4 + heard.readInt32BE(0)) resolve(heard.subarray(8));
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the broker closed the connection')));
    socket.setTimeout(TIMEOUT_MS, () => reject(new Error('the broker did not answer')));
  });
  return answer.finally(() => socket.destroy());
}

function request(): Buffer {
  const name = Buffer.from('postledger');
  const text = Buffer.concat([Buffer.of(name.length + 1), name]);
  const header = Buffer.alloc(10);
  header.writeInt16BE(API_VERSIONS, 0);
  header.writeInt16BE(WITH_FEATURES, 2);
  header.writeInt16BE(name.length, 8);
  // The client's id, no tags; then its software's name and version, no tags.
  const body = Buffer.concat([header, name, Buffer.of(0), text, text, Buffer.of(0)]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** The greatest `metadata.version` that the broker supports (KIP-584), from the body of an ApiVersions answer of version 3. */
export function metadataLevel(body: Buffer): number | undefined {
  let at = 0;
  const int16 = (): number => body.readInt16BE((at += 2) - 2);
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = body.readUInt8(at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const skipTags = (): void => {
    for (let tags = varint(); tags > 0; tags--) {
      varint();
      const size = varint();
      at += size;
    }
  };
  if (int16() !== 0) return undefined;
  for (let apis = varint() - 1; apis > 0; apis--) {
    at += 6;
    skipTags();
  }
  at += 4;
  for (let tags = varint(); tags > 0; tags--) {
    const [tag, size] = [varint(), varint()];
    const end = at + size;
    for (let features = tag === SUPPORTED_FEATURES ? varint() - 1 : 0; features > 0; features--) {
      const length = varint() - 1;
      const name = body.toString('utf8', at, (at += length));
      const [, greatest] = [int16(), int16()];
      skipTags();
      if (name === 'metadata.version') return greatest;
    }
    at = end;
  }
  return undefined;
}
