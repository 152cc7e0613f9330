import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../postgres/database';
import { EmbeddedServer } from '../postgres/embedded/embedded-server';
import { migrate } from '../postgres/migrate';
import { copyCluster } from './copy-cluster';
import { copyDatabase, TEMPLATE } from './template';

/** The database that `npm start` makes. */
const PROGRAMS = 'postledger';

declare global {
  var testServer: { server: EmbeddedServer; folder: string } | undefined;
}

/** One PostgreSQL for the whole run, with a migrated template database that each test file clones, and a migrated cluster to copy. */
export default async function setUp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-test-'));
  const made = join(folder, 'made');
  await makeCluster(made);
  const used = join(folder, 'used');
  copyCluster(made, used);
  // fsync off: a test run's data need not survive a power cut, and killed processes do not need it.
  const server = await EmbeddedServer.start({
    folder: used,
    flags: { fsync: 'off', full_page_writes: 'off', max_connections: '400', shared_buffers: '256MB' },
  });
  const admin = new Database(server.url(), { max: 1 });
  await admin.script(copyDatabase(PROGRAMS, TEMPLATE));
  await admin.end();
  process.env['TEST_POSTGRES_URL'] = server.url();
  process.env['TEST_CLUSTER'] = made;
  globalThis.testServer = { server, folder };
}

/** A cluster as a first start leaves it, with the programs' database. */
async function makeCluster(folder: string): Promise<void> {
  const server = await EmbeddedServer.start({ folder, flags: { fsync: 'off' } });
  await server.ensureDatabase(PROGRAMS);
  const db = new Database(server.url(PROGRAMS));
  await migrate(db);
  await db.end();
  await server.stop();
}
