import { EmbeddedServer } from '#postgres';
import { eventually, ownPort, Receiver } from '#testing';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectNothingLost, Ledger } from '../harness/ledger';
import { Standalone } from '../harness/standalone';

interface Health {
  readonly parts: Record<string, { ok: boolean; detail?: string }>;
}

describe('PostgreSQL stopped and started under load', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-lost-'));
  let database: EmbeddedServer;
  let standalone: Standalone;
  let receiver: Receiver;
  beforeAll(async () => {
    database = await EmbeddedServer.start({ folder, port: await ownPort() });
    await database.ensureDatabase('lost');
    standalone = await Standalone.start({ DATABASE_URL: database.url('lost') });
    receiver = await Receiver.open();
  });
  afterAll(async () => {
    await standalone.remove();
    await receiver.close();
    await database.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is a clear health answer, refuses with 503, and recovers without a restart and without loss', async () => {
    const client = standalone.client();
    const { id: account } = await client.account();
    await client.endpoint(receiver.url('/hook'), { eventTypes: ['post.scheduled'] });
    const ledger = new Ledger();
    let isOver = false;
    const writers = Array.from({ length: 4 }, (_, n) => ledger.write(client, account, `lost_${n}`, () => isOver));
    for (let round = 1; round <= 2; round++) {
      const before = ledger.acknowledged.length;
      await eventually(() => expect(ledger.acknowledged.length).toBeGreaterThan(before + 100), { within: 90_000 });
      const { port } = database;
      await database.stop();
      // Other parts may say so first, and what was asked while it went down another thing.
      await eventually(async () => {
        const { status, body } = await client.get<Health>('/health/ready');
        expect(status).toBe(503);
        expect(body.parts['database']).toMatchObject({
          ok: false,
          detail: expect.stringMatching(/ECONNREFUSED|terminat|timeout|closed/i),
        });
        expect(body.parts['delivery']).toMatchObject({ ok: false, detail: expect.stringContaining('database') });
      });
      expect((await client.get('/health/live')).status).toBe(200);
      const refused = await client.post('/accounts', {
        platform: 'instagram',
        username: 'late',
        profileId: 'prof_test',
      });
      expect(refused.status).toBe(503);
      expect(refused.headers.get('content-type')).toContain('application/problem+json');
      expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
      database = await EmbeddedServer.start({ folder, port });
      await eventually(async () => expect((await client.get('/health/ready')).status).toBe(200), { within: 90_000 });
    }
    const after = ledger.acknowledged.length;
    await eventually(() => expect(ledger.acknowledged.length).toBeGreaterThan(after + 50), { within: 90_000 });
    isOver = true;
    await Promise.all(writers);
    await expectNothingLost(ledger, () => receiver.on('/hook'));
  }, 300_000);
});
