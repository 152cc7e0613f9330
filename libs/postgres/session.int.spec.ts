import { Client } from 'pg';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { Database, type Sql } from './database';

describe('on a database that an administrator has set otherwise', () => {
  let test: TestDatabase;
  let db: Database;
  const lost: string[] = [];
  const byDefault = (setting: string) =>
    test.db.script(`alter database ${new URL(test.url).pathname.slice(1)} set ${setting}`);
  beforeAll(async () => {
    test = await testDatabase();
    const settings = ['extra_float_digits = -5', 'array_nulls = off', "idle_session_timeout = '1s'"];
    for (const setting of [...settings, 'synchronous_commit = off']) await byDefault(setting);
    db = new Database(test.url, { max: 2, onError: ({ message }) => lost.push(message) });
  });
  afterAll(async () => {
    await db.end();
    await test.drop();
  });

  it('numbers have all of their digits', async () =>
    expect(await db.query("select extract(epoch from '2026-11-03T23:59:59.999Z'::timestamptz)::float8 as at")).toEqual([
      { at: 1793750399.999 },
    ]));

  it('what is null in an array is null', async () =>
    expect(await db.query('select $1::smallint[] as codes', ['{NULL,200}'])).toEqual([{ codes: [null, 200] }]));

  it('a commit waits for the disk all the same, and for a standby where it is to', async () => {
    const commits = (sql: Sql) => sql.query('show synchronous_commit');
    for (const asked of [await commits(db), await db.tx(commits)])
      expect(asked).toEqual([{ synchronous_commit: 'on' }]);
    await byDefault('synchronous_commit = remote_apply');
    const other = new Database(test.url, { max: 1, onError: () => undefined });
    expect(await commits(other)).toEqual([{ synchronous_commit: 'remote_apply' }]);
    await other.end();
  });

  it('whoever leads or listens may be silent for longer than others', async () => {
    const heard: string[] = [];
    db.listen('news', (payload) => heard.push(payload));
    await eventually(() => expect(heard).toEqual(['']));
    const session = await db.session();
    const [own] = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
    const other = new Client({ connectionString: test.url });
    other.on('error', () => undefined);
    const ended = new Promise<void>((end) => other.once('end', () => end()));
    await other.connect();
    await ended;
    expect(await session.query('select pg_backend_pid() as pid')).toEqual([own]);
    session.release();
    expect(lost).toEqual([]);
  });
});
