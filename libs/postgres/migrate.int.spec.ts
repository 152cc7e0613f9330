import { eventually, testDatabase, type TestDatabase } from '#testing';
import { migrate } from './migrate';

describe('the database', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  it('applies nothing twice', async () => {
    expect(await migrate(test.db)).toEqual([]);
  });

  it('refuses a database of a newer version', async () => {
    await test.db.query("insert into public.schema_migration (name) values ('9999_future.sql')");
    await expect(migrate(test.db)).rejects.toThrow('another version of Postledger: it holds 9999_future.sql');
    await test.db.query("delete from public.schema_migration where name = '9999_future.sql'");
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

  it('rolls a failed transaction back', async () => {
    await expect(
      test.db.tx(async (sql) => {
        await sql.query('create table half_done (id int)');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await test.db.query("select to_regclass('half_done') as found")).toEqual([{ found: null }]);
  });
});
