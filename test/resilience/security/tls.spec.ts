import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { generate, type GenerateResult } from 'selfsigned';
import type { Client } from '../../harness/client';
import { Standalone } from '../../harness/standalone';
import { attempt, failedAt, Ground } from './ground';

const DAY_MS = 86_400_000;

const certificate = (name: string, { from = -DAY_MS, to = DAY_MS, ip = '' } = {}): Promise<GenerateResult> =>
  generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() + from),
    notAfterDate: new Date(Date.now() + to),
    extensions: [
      { name: 'subjectAltName', altNames: [ip ? { type: 7 as const, ip } : { type: 2 as const, value: name }] },
    ],
  });

/** Node's own switches are set to what would be worst: its authorities are extended by all of these, and checks are off. */
describe('a target with https', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-tls-'));
  const ground = new Ground();
  let certificates: Record<'good' | 'address' | 'expired' | 'early' | 'foreign', GenerateResult>;
  let unknown: GenerateResult;
  let standalone: Standalone;
  let client: Client;
  let seen: { host?: string | undefined; servername?: unknown }[] = [];

  beforeAll(async () => {
    certificates = {
      good: await certificate('localhost'),
      address: await certificate('', { ip: '127.0.0.1' }),
      expired: await certificate('localhost', { from: -2 * DAY_MS, to: -DAY_MS }),
      early: await certificate('localhost', { from: DAY_MS, to: 2 * DAY_MS }),
      foreign: await certificate('other.example.org'),
    };
    unknown = await certificate('localhost');
    const anchors = join(folder, 'anchors.pem');
    writeFileSync(
      anchors,
      Object.values(certificates)
        .map(({ cert }) => cert)
        .join('\n'),
    );
    standalone = await Standalone.start({
      RETRY_SCALE: '1',
      NODE_EXTRA_CA_CERTS: anchors,
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    });
    client = standalone.client();
  });
  beforeEach(() => {
    seen = [];
  });
  afterAll(async () => {
    await standalone.remove();
    ground.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const https = ({ private: key, cert }: GenerateResult): Promise<number> =>
    ground.listen(
      createServer({ key, cert }, (request, response) => {
        seen.push({
          host: request.headers.host,
          servername: (request.socket as TLSSocket & { servername?: unknown }).servername,
        });
        response.writeHead(204).end();
      }),
    );

  it('is delivered to with the registered name in SNI and in Host', async () => {
    const port = await https(certificates.good);
    expect(await attempt(client, `https://localhost:${port}/hook`)).toMatchObject({ status: 'delivered' });
    expect(seen).toEqual([{ host: `localhost:${port}`, servername: 'localhost' }]);
  });

  it('is delivered to by a literal address that its certificate names, which is no name for SNI', async () => {
    const port = await https(certificates.address);
    expect(await attempt(client, `https://127.0.0.1:${port}/hook`)).toMatchObject({ status: 'delivered' });
    expect(seen).toEqual([{ host: `127.0.0.1:${port}`, servername: false }]);
  });

  it.each([
    ['has expired', 'expired', /expired/],
    ['is not valid yet', 'early', /not yet valid/],
    ['is for another name', 'foreign', /altnames|localhost/i],
    ['is for its address, not its name', 'address', /altnames|localhost/i],
  ] as const)('is refused when its certificate %s', async (_why, which, message) => {
    const delivery = await attempt(client, `https://localhost:${await https(certificates[which])}/hook`);
    expect(delivery).toEqual(failedAt('tls'));
    expect(delivery.attempts[0]!.error).toMatch(message);
    expect(seen).toEqual([]);
  });

  it('is refused with a certificate that nobody vouches for, though the target is loopback in the sandbox', async () => {
    const delivery = await attempt(client, `https://localhost:${await https(unknown)}/hook`);
    expect(delivery).toEqual(failedAt('tls'));
    expect(delivery.attempts[0]!.error).toMatch(/self.signed/i);
    expect(seen).toEqual([]);
  });

  it('fails in the handshake when its server speaks no TLS, or hangs up', async () => {
    const plain = await ground.listen(createHttp((_, response) => void response.end()));
    expect(await attempt(client, `https://localhost:${plain}/hook`)).toEqual(failedAt('tls'));
    const rude = await ground.listen(createTcp((socket) => void socket.once('data', () => socket.destroy())));
    expect(await attempt(client, `https://localhost:${rude}/hook`)).toEqual(failedAt('tls'));
  });
});
