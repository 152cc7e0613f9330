import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { latestRequests } from './latest-requests';
import { endUntaken } from './untaken-answers';

/** More than the system keeps for a reader. */
const LONG = 50_000_000;

describe('a connection', () => {
  const server = createServer({ keepAliveTimeout: 50 });
  endUntaken(server, latestRequests(server), 50);
  let client: Socket;

  beforeEach(async () => {
    if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  });
  afterEach(() => client.destroy());
  afterAll(() => server.close());

  const REQUEST = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';

  /** Asks, without reading what is answered. */
  async function ask(requests = REQUEST): Promise<ServerResponse> {
    client.pause().write(requests);
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    return response;
  }

  async function read(end: string): Promise<void> {
    let text = '';
    client.setEncoding('latin1').on('data', (some: string) => (text = text.slice(-end.length) + some));
    client.resume();
    while (!text.endsWith(end)) await once(client, 'data');
  }

  it('ends when its client takes nothing of an answer', async () => {
    const response = await ask();
    const closed = once(response, 'close');
    response.end(Buffer.alloc(LONG));
    await closed;
    client.on('error', () => undefined).resume();
    await once(client, 'close');
    expect(client.bytesRead).toBeLessThan(LONG);
  });

  it('ends when its client has asked for the next one and takes nothing of the first', async () => {
    const response = await ask(REQUEST + REQUEST);
    const closed = once(response, 'close');
    response.end(Buffer.alloc(LONG));
    await closed;
  });

  it('stays while its client waits for the rest of an answer', async () => {
    const response = await ask();
    response.write('begun');
    await read('5\r\nbegun\r\n');
    response.socket!.setTimeout(1);
    await once(server, 'timeout');
    response.end('late');
    await read('4\r\nlate\r\n0\r\n\r\n');
  });

  it('ends some time after its last answer', async () => {
    const response = await ask();
    response.end('short');
    await read('short');
    await once(client, 'close');
  });
});
