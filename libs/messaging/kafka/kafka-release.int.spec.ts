import { createServer, type AddressInfo, type Socket } from 'node:net';
import { askRelease } from './kafka-release';

/** No error, no apis, no throttling, and `metadata.version` up to 27 among the features. */
const ANSWER = Buffer.concat([
  Buffer.of(0, 0, 1, 0, 0, 0, 0, 1, 0, 24, 2, 17),
  Buffer.from('metadata.version'),
  Buffer.of(0, 7, 0, 27, 0),
]);
const framed = Buffer.concat([Buffer.of(0, 0, 0, ANSWER.length + 4, 0, 0, 0, 0), ANSWER]);

describe('the release of Apache Kafka, asked of several brokers', () => {
  const closing: (() => void)[] = [];
  afterEach(() => closing.splice(0).forEach((close) => close()));

  async function brokerThat(does: (socket: Socket) => void): Promise<string> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
      does(socket);
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    closing.push(() => (server.close(), sockets.forEach((socket) => socket.destroy())));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const answers = () => brokerThat((socket) => socket.once('data', () => socket.write(framed)));
  const refuses = () => brokerThat((socket) => socket.destroy());

  it('is told by one while another, which stands before it, is silent', async () => {
    let isWaitedFor = false;
    const silent = await brokerThat((socket) => {
      isWaitedFor = true;
      socket.once('close', () => (isWaitedFor = false)).resume();
    });
    expect(await askRelease({ brokers: [silent, await answers()] })).toBe('4.1');
    expect(isWaitedFor).toBe(true);
  });

  it('is told by one when another closes the connection, and by none when all do', async () => {
    expect(await askRelease({ brokers: [await refuses(), await answers()] })).toBe('4.1');
    expect(await askRelease({ brokers: [await refuses(), await refuses()] })).toBeUndefined();
  });
});
