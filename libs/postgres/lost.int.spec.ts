import { execFileSync } from 'node:child_process';
import { setImmediate } from 'node:timers/promises';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { Database } from './database';
import { isOutage } from './outage';

/** Ends the backend `pid` when it has answered `query`, and returns when it is gone. */
const KILLER = `
const [, url, pid, query] = process.argv;
const { Client } = require('pg');
(async () => {
  const client = new Client({ connectionString: url });
  await client.connect();
  const until = async (is) => {
    for (;;) {
      const { rows } = await client.query('select state, query from pg_stat_activity where pid = $1', [pid]);
      if (is(rows[0])) return;
    }
  };
  await until((backend) => backend.state === 'idle' && backend.query === query);
  await client.query('select pg_terminate_backend($1)', [pid]);
  await until((backend) => !backend);
  await client.end();
})();
`;

describe('a connection that the server ends', () => {
  let test: TestDatabase;
  let db: Database;
  beforeAll(async () => {
    test = await testDatabase();
    db = new Database(test.url, { max: 1 });
  });
  afterAll(async () => {
    await db.end();
    await test.drop();
  });

  const userOf = {
    transaction: () => db.tx((sql) => sql.query('select 1')),
    query: () => db.query('select 1'),
    async session() {
      const session = await db.session();
      await session.query('select 1').finally(() => session.release(true));
    },
  };
  it.each(['transaction', 'query', 'session'] as const)(
    'in the moment in which it passes from one to a %s fails that one alone',
    async (kind) => {
      const [{ pid }] = (await db.query<{ pid: number }>('select pg_backend_pid() as pid')) as [{ pid: number }];
      const answered = db.query('select 2 as n');
      const next = userOf[kind]().catch((error: unknown) => error);
      await setImmediate();
      // Meanwhile this process reads nothing: the answer and the end come to it together.
      execFileSync(process.execPath, ['-e', KILLER, test.url, `${pid}`, 'select 2 as n'], { timeout: 20_000 });
      expect(await answered).toEqual([{ n: 2 }]);
      expect(isOutage(await next)).toBe(true);
      expect(await db.query('select 3 as n')).toEqual([{ n: 3 }]);
    },
  );

  it('tells whose session it is, and nobody who has given it back', async () => {
    const told: string[] = [];
    const user = async (name: string) => {
      const session = await db.session();
      session.onLost(() => told.push(name));
      return session;
    };
    const former = await user('former');
    former.release();
    const present = await user('present');
    const [{ pid }] = (await present.query<{ pid: number }>('select pg_backend_pid() as pid')) as [{ pid: number }];
    await test.db.query('select pg_terminate_backend($1)', [pid]);
    await eventually(() => expect(told).toContain('present'));
    present.release(true);
    expect(await db.query('select 3 as n')).toEqual([{ n: 3 }]);
    expect(told).not.toContain('former');
  });
});
