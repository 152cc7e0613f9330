import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../postgres/database';
import { EmbeddedServer } from '../postgres/embedded/embedded-server';
import { migrate } from '../postgres/migrate';

export const TEMPLATE = 'postledger_template';

declare global {
  var testServer: { server: EmbeddedServer; folder: string } | undefined;
}

/** One PostgreSQL for the whole run; a migrated template database that each test file clones. */
export default async function setUp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-test-'));
  // fsync off: a test run's data need not survive a power cut, and killed processes do not need it.
  const server = await EmbeddedServer.start({
    folder,
    flags: { fsync: 'off', full_page_writes: 'off', max_connections: '400' },
  });
  await server.ensureDatabase(TEMPLATE);
  const db = new Database(server.url(TEMPLATE));
  await migrate(db);
  await db.end();
  process.env['TEST_POSTGRES_URL'] = server.url();
  globalThis.testServer = { server, folder };
}
