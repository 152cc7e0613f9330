import { createServer, type AddressInfo, type Socket } from 'node:net';
import { beginnings } from './kafka-hello';
import { askRelease } from './kafka-release';

/** No error, no apis, no throttling, and `metadata.version` up to 27 among the features. */
const ANSWER = Buffer.concat([
  Buffer.of(0, 0, 1, 0, 0, 0, 0, 1, 0, 24, 2, 17),
  Buffer.from('metadata.version'),
  Buffer.of(0, 7, 0, 27, 0),
]);
const framed = Buffer.concat([Buffer.of(0, 0, 0, ANSWER.length + 4, 0, 0, 0, 0), ANSWER]);

describe('Apache Kafka of several brokers', () => {
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

  it('tells its release by one while another, which stands before it, is silent', async () => {
    let isWaitedFor = false;
    const silent = await brokerThat((socket) => {
      isWaitedFor = true;
      socket.once('close', () => (isWaitedFor = false)).resume();
    });
    expect(await askRelease({ brokers: [silent, await answers()] })).toBe('4.1');
    expect(isWaitedFor).toBe(true);
  });

  it('tells its release by one when another closes the connection, and not at all when each does', async () => {
    expect(await askRelease({ brokers: [await refuses(), await answers()] })).toBe('4.1');
    expect(await askRelease({ brokers: [await refuses(), await refuses()] })).toBeUndefined();
  });

  it('is begun with at a broker that answers, and at any when none does', async () => {
    const [silent, closing, answering] = [await brokerThat(() => undefined), await refuses(), await answers()];
    expect(await beginnings({ brokers: [silent, closing, answering] })).toEqual([answering]);
    expect(await beginnings({ brokers: [closing, closing] })).toEqual([closing, closing]);
  });

  it('is not asked where to begin when there is one place only', async () => {
    let asked = 0;
    const only = await brokerThat(() => asked++);
    expect(await beginnings({ brokers: [only] })).toEqual([only]);
    expect(asked).toBe(0);
  });
});
