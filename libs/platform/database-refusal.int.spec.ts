import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { Database } from '#postgres';
import { testDatabase, type TestDatabase } from '#testing';
import { SettingsError } from './config/settings';
import { reachDatabase } from './wait-for';

describe('a PostgreSQL that does not let us in', () => {
  let test: TestDatabase;
  let encrypting: Server;
  let passing: Server;
  const sockets: Socket[] = [];
  let secured: { private: string; cert: string };
  beforeAll(async () => {
    test = await testDatabase();
    secured = await generate([{ name: 'commonName', value: 'db.example.org' }], { keyType: 'ec', algorithm: 'sha256' });
    // What a server says to a client that asks for encryption, and its side of that.
    encrypting = createServer((socket) => {
      keep(socket).once('data', () => {
        socket.write('S');
        const { private: key, cert } = secured;
        new TLSSocket(socket, { isServer: true, key, cert }).on('error', () => undefined);
      });
    });
    // A client that has no password leaves its connection as it is, and the server lets it be for a minute.
    passing = createServer((socket) => {
      const through = keep(connect(Number(new URL(test.url).port), '127.0.0.1'));
      keep(socket).pipe(through).pipe(socket);
    });
    for (const each of [encrypting, passing]) await new Promise<void>((up) => each.listen(0, '127.0.0.1', up));
  });
  afterEach(() => sockets.splice(0).forEach((socket) => socket.destroy()));
  afterAll(async () => {
    encrypting.close();
    passing.close();
    await test.drop();
  });

  const keep = (socket: Socket): Socket => {
    sockets.push(socket.on('error', () => undefined));
    return socket;
  };
  const portOf = (server: Server): string => String((server.address() as AddressInfo).port);
  const changed = (change: (url: URL) => void, from = test.url): string => {
    const url = new URL(from);
    change(url);
    return url.href;
  };
  const encrypted = (url: URL) => url.searchParams.set('sslmode', 'verify-full');
  const stranger = () => `postgres://me:s3cr3t@127.0.0.1:${portOf(encrypting)}/there`;
  const missing = join(tmpdir(), 'no-such-authority.pem');

  it.each([
    ['a wrong password', () => changed((url) => (url.password = 'wr0ng')), /refuses: the password is wrong; check/],
    [
      'a password that is not there',
      () => changed((url) => ((url.password = ''), (url.port = portOf(passing)))),
      /refuses: it asks for a password; DATABASE_URL has none\.$/,
    ],
    [
      'a database that is not there',
      () => changed((url) => (url.pathname = '/nowhere')),
      /refuses: the database does not exist; create it/,
    ],
    [
      'a server without encryption',
      () => changed(encrypted),
      /refuses: it takes no encrypted connections; check sslmode/,
    ],
    [
      'a certificate that nobody we trust has signed',
      () => changed(encrypted, stranger()),
      /refuses: its certificate does not verify \(self-signed certificate\); sslrootcert in/,
    ],
    [
      'an authority that is not there',
      () => changed((url) => (encrypted(url), url.searchParams.set('sslrootcert', missing)), stranger()),
      /^DATABASE_URL names .*no-such-authority\.pem, which cannot be read \(ENOENT\)\.$/,
    ],
  ])('ends the start with one sentence: %s', async (_, url, sentence) => {
    const db = new Database(url(), { max: 1 });
    const said: string[] = [];
    try {
      const refused = await reachDatabase(db, (each) => said.push(each)).catch((error: Error) => error);
      expect(refused).toBeInstanceOf(SettingsError);
      expect((refused as Error).message).toMatch(sentence);
      expect((refused as Error).message).not.toMatch(/wr0ng|s3cr3t/);
      expect(said).toEqual([]);
    } finally {
      await db.end();
    }
  });
});
