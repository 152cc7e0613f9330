import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { endUntaken } from './untaken-answers';

/** More than the system keeps for a reader. */
const LONG = 50_000_000;

describe('a connection', () => {
  const server = createServer();
  endUntaken(server, 50);
  let client: Socket;

  beforeEach(async () => {
    if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  });
  afterEach(() => client.destroy());
  afterAll(() => server.close());

  /** Asks, without reading what is answered. */
  async function ask(): Promise<ServerResponse> {
    client.pause().write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    return response;
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

  it('stays while its client waits for an answer', async () => {
    const response = await ask();
    await once(response, 'timeout');
    response.end('late');
    let text = '';
    client.setEncoding('utf8').on('data', (some: string) => (text += some));
    client.resume();
    while (!text.endsWith('late')) await once(client, 'data');
    expect(text).toContain('200 OK');
  });
});
