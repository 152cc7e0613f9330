import { testDatabase, type TestDatabase } from '#testing';

describe('the transactions of a process', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  it('may wait for something else for longer than the server waits for a process that froze', async () => {
    const [setting] = await test.db.query<{ ms: number }>(
      "select setting::int as ms from pg_settings where name = 'idle_in_transaction_session_timeout'",
    );
    expect(setting!.ms).toBeGreaterThan(0);
    const answer = await test.db.tx(async (sql) => {
      await sql.script('create temporary table mine (n integer)');
      await new Promise((over) => setTimeout(over, setting!.ms + 1_000));
      return sql.query('select count(*)::int as rows from mine');
    });
    expect(answer).toEqual([{ rows: 0 }]);
  });
});
