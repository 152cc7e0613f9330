import { Database } from '#postgres';
import { testDatabase, type TestDatabase } from '#testing';
import { PostgresKeyTable } from './key-table';

describe('the keys of subjects in PostgreSQL', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  it('are wrapped anew, and one that is destroyed in that moment stays destroyed', async () => {
    const [workspace, names] = ['ws_1', ['usr_ada', 'usr_gone']];
    const table = new PostgresKeyTable(test.db);
    await table.take(
      names.map((subject) => ({ workspace, subject })),
      () => 'former',
    );
    const meanwhile = Object.assign(Object.create(test.db) as Database, {
      query: async (text: string, params: unknown[]) => {
        if (text.startsWith('update'))
          await table.destroy(workspace, [{ subject: 'usr_gone', generation: 1 }], '2026-05-01T10:00:00.000Z');
        return test.db.query(text, params);
      },
    });
    const count = await new PostgresKeyTable(meanwhile).rewrap(
      (box) => box === 'former',
      (box) => `present of ${box}`,
    );
    expect(count).toBe(2);
    expect(await table.of(workspace, names)).toMatchObject([
      { subject: 'usr_ada', box: 'present of former', erasedAt: null },
      { subject: 'usr_gone', box: null, erasedAt: '2026-05-01T10:00:00.000Z' },
    ]);
  });
});
