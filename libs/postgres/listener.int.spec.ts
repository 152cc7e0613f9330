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

  /** Ends what stands; what comes next is let through. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
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
  const ended = () => new Promise<void>((end) => listener['client']!.once('end', () => end()));
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
    const gone = ended();
    await listener.end();
    await gone;
    expect([way.connections, listener['retry']]).toEqual([1, undefined]);
  });

  it('says that something may have been missed when it listens, and not before', async () => {
    way.until = 'listen "news"';
    listenerWith({ connectMs: 60_000, closingMs: 100 });
    await eventually(() => expect(way.swallowed).toBeGreaterThan(0));
    expect(heard).toEqual([]);
    await listener.end();
  });

  /** Of which nothing is to be told any more: it has fired, or never will. */
  const isOver = (timer: NodeJS.Timeout | undefined) => (timer as { _destroyed?: boolean } | undefined)?._destroyed;

  /** Ends its connection; it has not come back yet, and waits until it may. */
  const cut = async () => {
    await eventually(() => expect(heard).toEqual(['']));
    const gone = ended();
    way.cut();
    await gone;
    return listener['retry'];
  };

  it('comes back by one connection, also when somebody asks for it before its time', async () => {
    listenerWith({ connectMs: 60_000, closingMs: 2_000 });
    const again = await cut();
    listener.add('weather', (payload) => heard.push(payload));
    await eventually(() => expect(isOver(again)).toBe(true));
    await eventually(() => expect(listener['connecting']).toBeUndefined());
    expect(way.connections).toBe(2);
  });

  it('is not lost with the late end of the connection before', async () => {
    listenerWith({ connectMs: 60_000, closingMs: 2_000 });
    const former = await eventually(() => listener['client'] ?? false);
    way.cut();
    const present = await eventually(() => listener['client'] !== former && (listener['client'] ?? false));
    former.emit('end');
    expect(listener['client']).toBe(present);
  });

  it('comes back no more once it is told to end', async () => {
    listenerWith({ connectMs: 60_000, closingMs: 2_000 });
    const again = await cut();
    await listener.end();
    expect(isOver(again)).toBe(true);
    listener.add('weather', (payload) => heard.push(payload));
    expect(listener['connecting']).toBeUndefined();
    expect(way.connections).toBe(1);
  });

  it.each(['before it has answered', 'while it listens'])('ends all the same, %s', async (when) => {
    way.isSilent = when.startsWith('before');
    listenerWith({ connectMs: 60_000, closingMs: 100 });
    await eventually(() => expect(way.swallowed + heard.length).toBeGreaterThan(0));
    way.isSilent = true;
    await listener.end();
  });
});
