import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { eventually } from '#testing';
import { KafkaBus } from './kafka-bus';

const API_VERSIONS = 18;
const METADATA = 3;

/** No error, one request that the broker knows (metadata, version 0 to 1), no throttling. */
const VERSIONS = Buffer.of(0, 0, 0, 0, 0, 1, 0, METADATA, 0, 0, 0, 1, 0, 0, 0, 0);

const framed = (request: Buffer, body: Buffer): Buffer => {
  const size = Buffer.alloc(4);
  size.writeInt32BE(4 + body.length);
  return Buffer.concat([size, request.subarray(8, 12), body]);
};

describe('a bus on Kafka whose broker is lost in the middle of an answer', () => {
  let server: Server;
  let bus: KafkaBus;
  const sockets = new Set<Socket>();
  const asked: number[] = [];
  afterEach(async () => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
    await bus.close();
  });

  it('understands the next connection from its first byte on', async () => {
    server = createServer((socket) => {
      const isFirst = sockets.size === 0;
      sockets.add(socket.on('error', () => undefined));
      socket.on('data', (request) => {
        const [what, answer] = [request.readInt16BE(4), framed(request, VERSIONS)];
        asked.push(what);
        if (isFirst) socket.end(answer.subarray(0, 10));
        else if (what === API_VERSIONS) socket.write(answer);
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    bus = new KafkaBus(`kafka://127.0.0.1:${(server.address() as AddressInfo).port}`);
    void bus.ensureTopics(['any.v1']).catch(() => undefined);
    await eventually(() => expect(asked).toEqual([API_VERSIONS, API_VERSIONS, METADATA]));
  });
});
