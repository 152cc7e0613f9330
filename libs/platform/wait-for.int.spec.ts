import { randomBytes } from 'node:crypto';
import { Database, migrate } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { SettingsError } from './config/settings';
import { expectSessions, onDatabase } from './wait-for';

const MIGRATION_LOCK = 7_305_001;

describe('what a start does on the database', () => {
  let test: TestDatabase;
  const opened: Database[] = [];
  beforeAll(async () => (test = await testDatabase()));
  afterAll(async () => {
    await Promise.all(opened.map((db) => db.end()));
    await test.drop();
  });

  const migrated = (db: Database) =>
    onDatabase(
      db,
      () => migrate(db),
      () => undefined,
    );
  const open = (url: string): Database => {
    const db = new Database(url, { max: 1, name: 'a start' });
    opened.push(db);
    return db;
  };

  it('is done again when the connection is cut in the middle of it', async () => {
    const db = open(test.url);
    let done: Promise<string[]> | undefined;
    await test.db.tx(async (sql) => {
      await sql.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
      done = migrated(db);
      done.catch(() => undefined);
      await eventually(async () =>
        expect(
          await test.db.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'a start' and wait_event = 'advisory' and datname = current_database()",
          ),
        ).toHaveLength(1),
      );
    });
    expect(await done).toEqual([]);
  });

  it('ends with one sentence for a user to whom everything was granted and who would see no row of it', async () => {
    const [name, password] = [`start_${randomBytes(6).toString('hex')}`, randomBytes(8).toString('hex')];
    await test.db.script(`create role ${name} login password '${password}';
      grant all on schema public, log, tenancy to ${name}; grant all on all tables in schema public, log to ${name}`);
    const url = new URL(test.url);
    [url.username, url.password] = [name, password];
    const db = open(url.href);
    try {
      const refused = `cannot be used: row-level security keeps the rows of log.event from ${name}, for it belongs to postgres; let ${name} own what`;
      await expect(migrated(db)).rejects.toThrow(refused);
      await test.db.script(`grant postgres to ${name}`);
      expect(await migrated(db)).toEqual([]);
    } finally {
      await db.end();
      opened.pop();
      await test.db.script(`drop owned by ${name}; drop role ${name}`);
    }
  });

  it('waits for its turn to migrate however short the statements of its user are to be, and says what else cuts it off', async () => {
    const url = new URL(test.url);
    url.searchParams.set('options', '-c statement_timeout=1000');
    const db = open(url.href);
    const said: string[] = [];
    let tries = 0;
    const work = async () => (++tries === 1 ? (await db.query('select pg_sleep(60)'), []) : migrate(db));
    let done: Promise<string[]> | undefined;
    await test.db.tx(async (sql) => {
      await sql.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
      done = onDatabase(db, work, (sentence) => said.push(sentence));
      await eventually(async () =>
        expect(
          await test.db.query(
            "select from pg_stat_activity where application_name = 'a start' and wait_event = 'advisory' and query_start < clock_timestamp() - interval '1.5 seconds'",
          ),
        ).toHaveLength(1),
      );
    });
    expect([await done, tries]).toEqual([[], 2]);
    expect(said).toEqual([
      expect.stringMatching(/^Waiting for PostgreSQL at .*: canceling statement due to statement timeout$/),
    ]);
  });

  it('ends with one sentence when its user may not make what it needs', async () => {
    const [name, password] = [`start_${randomBytes(6).toString('hex')}`, randomBytes(8).toString('hex')];
    await test.db.script(`create role ${name} login password '${password}'`);
    const url = new URL(test.url);
    [url.username, url.password] = [name, password];
    const db = open(url.href);
    try {
      const refused = await migrated(db).catch((error: Error) => error);
      expect(refused).toBeInstanceOf(SettingsError);
      expect((refused as Error).message).toMatch(/refuses: permission denied for .*; let the user own the database/);
    } finally {
      await db.end();
      opened.pop();
      await test.db.script(`drop role ${name}`);
    }
  });

  it('takes sessions of its own, and ends with one sentence where a pooler gives each transaction what is free', async () => {
    const db = new Database(test.url, { max: 2 });
    opened.push(db);
    await expectSessions(db);
    const server = await db.session();
    // Two clients on one connection of the server, as it is free.
    const session = async () => ({ ...server, release: () => undefined });
    await expect(expectSessions({ url: test.url, session })).rejects.toThrow('behind a pooler that gives every');
    server.release();
  });

  it('leaves no session behind when the second that it asks for is cut off', async () => {
    const db = new Database(test.url, { max: 2 });
    let asked = 0;
    const session = () => (++asked === 1 ? db.session() : Promise.reject(new Error('cut off')));
    await expect(expectSessions({ url: test.url, session })).rejects.toThrow('cut off');
    // It waits for whoever has a session.
    await db.end();
  });

  it.each(['LATIN1', 'SQL_ASCII'])('ends with one sentence where texts would be in %s', async (encoding) => {
    const name = `start_${randomBytes(6).toString('hex')}`;
    await test.db.script(`create database ${name} template template0 encoding '${encoding}' locale 'C'`);
    const url = new URL(test.url);
    url.pathname = name;
    const db = open(url.href);
    try {
      const refused = await migrated(db).catch((error: Error) => error);
      expect(refused).toBeInstanceOf(SettingsError);
      expect((refused as Error).message).toMatch(`cannot be used: its encoding is ${encoding}, and Postledger needs`);
    } finally {
      await db.end();
      opened.pop();
      await test.db.script(`drop database ${name}`);
    }
  });

  it('says for what it waits while the database may only be read, and goes on when it may be written', async () => {
    const name = new URL(test.url).pathname.slice(1);
    await test.db.script(`alter database ${name} set default_transaction_read_only = on`);
    const said: string[] = [];
    const db = open(test.url);
    const done = onDatabase(
      db,
      () => migrate(db),
      (sentence) => said.push(sentence),
    );
    try {
      await eventually(() => expect(said).toEqual([expect.stringMatching(/^Waiting for PostgreSQL at .*: cannot /)]));
    } finally {
      await test.db.script(`alter database ${name} reset default_transaction_read_only`);
    }
    // Its connections keep the defaults that they began with.
    await test.db.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'a start' and datname = current_database()",
    );
    expect(await done).toEqual([]);
  });

  it('ends with one sentence when the database is newer', async () => {
    await test.db.query("insert into public.schema_migration (name) values ('9999_future.sql')");
    await expect(migrated(open(test.url))).rejects.toThrow(SettingsError);
    await expect(migrated(open(test.url))).rejects.toThrow('another version of Postledger: it holds 9999_future.sql');
  });
});
