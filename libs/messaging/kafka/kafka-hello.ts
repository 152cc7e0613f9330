import type { Connection } from './kafka-settings';
import { socketTo } from './sockets';

const TIMEOUT_MS = 3_000;
const API_VERSIONS = 18;
/** The first version of the request whose answer names features; brokers since 2.4 know it. */
const WITH_FEATURES = 3;

/**
 * Addresses to begin at: one that answers, the quickest, and all of them when none does. kafkajs goes on to the next of its list only when
 * a connection is refused; where one is accepted and nobody answers, or is closed at once, it asks the same one for minutes.
 */
export async function beginnings({ brokers, ssl }: Connection): Promise<string[]> {
  if (brokers.length === 1) return brokers;
  const answering = brokers.map(async (broker) => {
    await askVersions(broker, ssl);
    return [broker];
  });
  return Promise.any(answering).catch(() => brokers);
}

/**
 * Asks a broker for what it supports (ApiVersions), which it tells everybody before they say who they are, and resolves with the body of its
 * answer. Rejects when it is silent for three seconds.
 */
export function askVersions(broker: string, ssl: Connection['ssl']): Promise<Buffer> {
  const at = broker.lastIndexOf(':');
  const [host, port] = [broker.slice(0, at), Number(broker.slice(at + 1))];
  const socket = socketTo({ host, port, ssl }, () => socket.write(request()));
  const answer = new Promise<Buffer>((resolve, reject) => {
    let heard = Buffer.alloc(0);
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
