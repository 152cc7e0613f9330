import { eventually, testDatabase, type TestDatabase } from '#testing';
import { Database, type Sql } from './database';
import { DatabaseVersionError, migrate, migrations } from './migrate';
import { schemaText } from './schema-text';

describe('the database', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  it('applies nothing twice', async () => {
    expect(await migrate(test.db)).toEqual([]);
  });

  it('applies a file once when two processes begin at once', async () => {
    await test.db.query("delete from public.schema_migration where name = '0270_said_later.sql'");
    const both = await Promise.all([migrate(test.db), migrate(test.db)]);
    expect(both.flat()).toEqual(['0270_said_later.sql']);
  });

  it('refuses a database of a newer version', async () => {
    await test.db.query("insert into public.schema_migration (name) values ('9999_future.sql')");
    await expect(migrate(test.db)).rejects.toThrow('another version of Postledger: it holds 9999_future.sql');
    await test.db.query("delete from public.schema_migration where name = '9999_future.sql'");
  });

  it('refuses a database that is not as a migration expects it, and leaves it as it was', async () => {
    const before = await schemaText(test.db);
    // As it was in a build before the first that fixed what its migrations are.
    await test.db.query("delete from public.schema_migration where name >= '0130'");
    await expect(migrate(test.db)).rejects.toThrow(
      'The database was made by another version of Postledger: 0130_bus_hand_over.sql does not fit it (function bus.publish(smallint[], text, text, text, text, text, text) does not exist), and nothing was changed.',
    );
    expect(await schemaText(test.db)).toBe(before);
    await expect(migrate(test.db)).rejects.toBeInstanceOf(DatabaseVersionError);
    await test.db.query('insert into public.schema_migration (name) select unnest($1::text[]) on conflict do nothing', [
      migrations().map(({ name }) => name),
    ]);
    expect(await migrate(test.db)).toEqual([]);
  });

  it.each([
    [
      'the keys of subjects were locked',
      `do $$ begin execute replace(pg_get_functiondef('tenancy.open_reads'::regproc), ', ''subject''', ''); end $$;
       drop policy own_workspace on subject.key; alter table subject.key disable row level security`,
    ],
    [
      'it was known after which position an endpoint was enabled',
      'alter table delivery.endpoint drop column enabled_after; drop function delivery.reopened',
    ],
  ])('is the same when it was made before %s', async (_, former) => {
    const wanted = await schemaText(test.db);
    await test.db.script(former);
    expect(await schemaText(test.db)).not.toBe(wanted);
    await test.db.query("delete from public.schema_migration where name = '0270_said_later.sql'");
    expect(await migrate(test.db)).toContain('0270_said_later.sql');
    expect(await schemaText(test.db)).toBe(wanted);
  });

  it('lets everybody else go on while somebody keeps a table that is to change', async () => {
    await test.db.query("delete from public.schema_migration where name = '0270_said_later.sql'");
    const said: string[] = [];
    let migrated: Promise<string[]> | undefined;
    await test.db.tx(async (backup) => {
      await backup.query('lock table delivery.endpoint in access share mode');
      migrated = migrate(test.db, (sentence) => said.push(sentence));
      migrated.catch(() => undefined);
      await eventually(() => expect(said).toHaveLength(1));
      await test.db.query('select id from delivery.endpoint');
    });
    expect(await migrated).toEqual(['0270_said_later.sql']);
    expect(said[0]).toContain('such as a backup');
  });

  it('hears a notification, also after its connection was cut', async () => {
    const heard: string[] = [];
    test.db.listen('news', (payload) => heard.push(payload));
    await eventually(() => expect(heard).toContain(''));
    await test.db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postledger listener' and datname = current_database()`,
    );
    await eventually(() => expect(heard.filter((payload) => payload === '')).toHaveLength(2));
    await test.db.notify('news', 'again');
    await eventually(() => expect(heard).toContain('again'));
  });

  it('hears what is sent on a channel that somebody listens to later', async () => {
    const heard: string[] = [];
    for (const channel of ['first', 'second']) {
      test.db.listen(channel, (payload) => heard.push(payload));
      await eventually(async () => {
        await test.db.notify(channel, channel);
        expect(heard).toContain(channel);
      });
    }
  });

  it('waits for the disk when it commits, unless it is told that it need not', async () => {
    const waits = (sql: Sql) => sql.query('show synchronous_commit');
    expect(await test.db.tx(waits, { lazy: true })).toEqual([{ synchronous_commit: 'off' }]);
    expect(await test.db.tx(waits)).toEqual([{ synchronous_commit: 'on' }]);
    expect(await waits(test.db)).toEqual([{ synchronous_commit: 'on' }]);
  });

  it('rolls a failed transaction back', async () => {
    await expect(
      test.db.tx(async (sql) => {
        await sql.query('create table half_done (id int)');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await test.db.query("select to_regclass('half_done') as found")).toEqual([{ found: null }]);
  });

  it('says that a transaction was rolled back whose failed statement was passed over', async () => {
    const passedOver = test.db.tx(async (sql) => {
      await sql.query('create table half_done (id int)');
      await sql.query('select nothing from nowhere').catch(() => undefined);
    });
    await expect(passedOver).rejects.toThrow('was rolled back');
    expect(await test.db.query("select to_regclass('half_done') as found")).toEqual([{ found: null }]);
  });

  it('goes on with statements whose table was changed by a migration meanwhile', async () => {
    const old = new Database(test.url, { max: 1 });
    const read = () => old.tx((sql) => sql.query('select * from widened'));
    await test.db.script('create table widened (id int); insert into widened values (1)');
    expect(await read()).toEqual([{ id: 1 }]);
    await test.db.script('alter table widened add column more int');
    await expect(read()).rejects.toThrow('cached plan must not change result type');
    expect(await read()).toEqual([{ id: 1, more: null }]);
    await old.end();
  });
});
