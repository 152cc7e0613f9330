import { randomBytes } from 'node:crypto';
import { Database } from '#postgres';
import { copyDatabase, TEMPLATE } from './template';

export interface TestDatabase {
  readonly db: Database;
  readonly url: string;
  drop(): Promise<void>;
}

/** A database of its own for one test file, cloned from the migrated template. */
export async function testDatabase(options: { max?: number } = {}): Promise<TestDatabase> {
  const server = process.env['TEST_POSTGRES_URL'];
  if (!server)
    throw new Error('TEST_POSTGRES_URL is not set: run through jest, whose global set-up starts the server.');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const admin = new Database(server, { max: 1 });
  await retry(() => admin.script(copyDatabase(TEMPLATE, name)));
  const url = new URL(server);
  url.pathname = `/${name}`;
  const db = new Database(url.href, { max: options.max ?? 10 });
  return {
    db,
    url: url.href,
    async drop() {
      await db.end();
      await admin.script(`drop database if exists ${name} with (force)`);
      await admin.end();
    },
  };
}

/** `source database is being accessed by other users` passes as soon as the other clone is done. */
async function retry(work: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries >= 200 || (error as { code?: string }).code !== '55006') throw error;
      await new Promise((again) => setTimeout(again, 10 + Math.random() * 40));
    }
  }
}
