import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { Listener } from './listener';

/** What stands between a listener and the server, and may fall silent without ending a connection. */
class Way {
  isSilent = false;
  connections = 0;
  /** What holds this is let through no more, nor anything behind it. */
  until: string | undefined;
  /** What came while it was silent. */
  swallowed = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  constructor(to: URL) {
    // Half open: a machine that is gone does not take leave either.
    this.server = createServer({ allowHalfOpen: true }, (client) => {
      this.connections++;
      const engine = connect(Number(to.port), to.hostname);
      for (const [from, other] of [
        [client, engine],
        [engine, client],
      ] as const) {
        this.sockets.add(from);
        from.on('data', (bytes) => {
          if (this.until !== undefined && bytes.includes(this.until)) this.isSilent = true;
          if (this.isSilent) this.swallowed++;
          else other.write(bytes);
        });
        from.on('error', () => other.destroy());
        from.on('end', () => this.isSilent || other.end());
        from.on('close', () => other.destroy());
      }
    });
  }

  async open(): Promise<number> {
    await new Promise<void>((listening) => this.server.listen(0, '127.0.0.1', listening));
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((closed) => this.server.close(closed));
  }
}

describe('a listener on a server that falls silent', () => {
  let test: TestDatabase;
  let way: Way;
  let url: string;
  let heard: string[];
  let listener: Listener;
  const listenerWith = (patience: { connectMs: number; closingMs: number }) => {
    listener = new Listener(
      url,
      () => undefined,
      () => false,
      patience,
    );
    listener.add('news', (payload) => heard.push(payload));
  };
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());
  beforeEach(async () => {
    const address = new URL(test.url);
    way = new Way(new URL(test.url));
    address.hostname = '127.0.0.1';
    address.port = String(await way.open());
    url = address.href;
    heard = [];
  });
  afterEach(async () => {
    await way.close();
    await listener.end();
  });

  it('tries again when it is let in and never answered', async () => {
    way.isSilent = true;
    listenerWith({ connectMs: 100, closingMs: 2_000 });
    await eventually(() => expect(way.swallowed).toBeGreaterThan(0));
    way.isSilent = false;
    await eventually(async () => {
      await test.db.notify('news', 'at last');
      expect(heard).toContain('at last');
    });
    await listener.end();
  });

  it('has one connection, however many channels there are before it stands', async () => {
    listenerWith({ connectMs: 60_000, closingMs: 2_000 });
    listener.add('weather', (payload) => heard.push(payload));
    await eventually(() => expect(heard).toEqual(['', '']));
    await eventually(async () => {
      await test.db.notify('weather', 'rain');
      expect(heard).toContain('rain');
    });
    expect(way.connections).toBe(1);
  });

  it('says that something may have been missed when it listens, and not before', async () => {
    way.until = 'listen "news"';
    listenerWith({ connectMs: 60_000, closingMs: 100 });
    await eventually(() => expect(way.swallowed).toBeGreaterThan(0));
    expect(heard).toEqual([]);
    await listener.end();
  });

  it.each(['before it has answered', 'while it listens'])('ends all the same, %s', async (when) => {
    way.isSilent = when.startsWith('before');
    listenerWith({ connectMs: 60_000, closingMs: 100 });
    await eventually(() => expect(way.swallowed + heard.length).toBeGreaterThan(0));
    way.isSilent = true;
    await listener.end();
  });
});
