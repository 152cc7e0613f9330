import { Database } from '#postgres';
import { testDatabase, type TestDatabase } from '#testing';
import { databaseHealth } from './database-health';
import { SecretBox } from './secret-box';

describe('health of the database', () => {
  let test: TestDatabase;
  beforeAll(async () => void (test = await testDatabase()));
  afterAll(() => test.drop());
  const secrets = new SecretBox(Buffer.alloc(32, 1).toString('base64'));

  it('says that it may only be read, as after a failover, until it may be written', async () => {
    const name = new URL(test.url).pathname.slice(1);
    const health = async () => {
      const db = new Database(test.url, { max: 1 });
      return databaseHealth(db, secrets).finally(() => db.end());
    };
    const server = { engine: 'PostgreSQL', version: expect.stringMatching(/^\d+/) };
    expect(await health()).toEqual({ ok: true, ...server });
    await test.db.script(`alter database ${name} set default_transaction_read_only = on`);
    expect(await health()).toEqual({ ok: false, detail: 'It may only be read', ...server });
    await test.db.script(`alter database ${name} reset default_transaction_read_only`);
    expect(await health()).toEqual({ ok: true, ...server });
  });

  it.each([
    ['health', async (db: Database) => (await databaseHealth(db, secrets)).ok],
    [
      'a transaction',
      (db: Database) =>
        db
          .tx((sql) => sql.query('create table if not exists written (n integer)'))
          .then(
            () => true,
            () => false,
          ),
    ],
  ] as const)('is well again for %s on a connection that began while it might only be read', async (_, isWell) => {
    const name = new URL(test.url).pathname.slice(1);
    await test.db.script(`alter database ${name} set default_transaction_read_only = on`);
    const db = new Database(test.url, { max: 1 });
    expect(await isWell(db)).toBe(false);
    await test.db.script(`alter database ${name} reset default_transaction_read_only`);
    expect(await isWell(db)).toBe(true);
    await db.end();
  });
});
