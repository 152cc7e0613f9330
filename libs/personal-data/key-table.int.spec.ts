import { testDatabase, type TestDatabase } from '#testing';
import { PostgresKeyTable } from './key-table';

const ADA = { subject: 'usr_ada', generation: 1 };
const [FIRST, LATER] = ['2026-05-01T10:00:00.000Z', '2026-05-02T10:00:00.000Z'];

describe('the keys of subjects on PostgreSQL', () => {
  let test: TestDatabase;
  let table: PostgresKeyTable;
  beforeAll(async () => {
    test = await testDatabase();
    table = new PostgresKeyTable(test.db);
  });
  afterAll(() => test.drop());
  beforeEach(() => test.db.script('truncate subject.key'));
  afterEach(() => jest.restoreAllMocks());

  const take = (...workspaces: string[]) =>
    table.take(
      workspaces.map((workspace) => ({ workspace, subject: ADA.subject })),
      () => 'old box',
    );
  const rewrap = () =>
    table.rewrap(
      (box) => box.startsWith('old'),
      (box) => box.replace('old', 'new'),
    );

  it('are one for each subject of a workspace, the same whenever it is asked for', async () => {
    const subjects = ['usr_ada', 'usr_bob'].map((subject) => ({ workspace: 'ws_1', subject }));
    let made = 0;
    const newBox = () => `box ${++made}`;
    const taken = await table.take(subjects, newBox);
    expect(new Set(taken.map(({ box }) => box)).size).toBe(2);
    for (const { workspace, subject } of subjects) {
      const own = taken.filter((key) => key.subject === subject);
      expect(own).toHaveLength(1);
      expect(await table.take([{ workspace, subject }], newBox)).toEqual(own);
      expect(await table.find(workspace, [{ subject, generation: 1 }])).toEqual(own);
      expect(await table.of(workspace, [subject])).toEqual(own);
    }
  });

  it('are wrapped anew where they were wrapped before, and left as they are else', async () => {
    await take('ws_1', 'ws_2');
    expect(await rewrap()).toBe(2);
    expect(await rewrap()).toBe(0);
    expect(await table.of('ws_1', [ADA.subject])).toMatchObject([{ box: 'new box', generation: 1 }]);
  });

  it('do not come back when they are destroyed while they are wrapped anew', async () => {
    await take('ws_1');
    const query = test.db.query.bind(test.db) as (text: string, params?: readonly unknown[]) => Promise<never[]>;
    jest.spyOn(test.db, 'query').mockImplementation(async (text: string, params?: readonly unknown[]) => {
      if (text.startsWith('update')) await new PostgresKeyTable(test.db).destroy('ws_1', [ADA], FIRST);
      return query(text, params);
    });
    await rewrap();
    expect(await table.of('ws_1', [ADA.subject])).toMatchObject([{ box: null }]);
  });

  it('are destroyed in their workspace alone, and once', async () => {
    await take('ws_1', 'ws_2');
    await table.destroy('ws_1', [ADA], FIRST);
    await table.destroy('ws_1', [ADA], LATER);
    const [mine] = await table.find('ws_1', [ADA]);
    expect(mine!.box).toBeNull();
    expect(new Date(mine!.erasedAt!).toISOString()).toBe(FIRST);
    expect(await table.find('ws_2', [ADA])).toMatchObject([{ workspace: 'ws_2', box: 'old box' }]);
    expect(await take('ws_1')).toMatchObject([{ generation: 2 }]);
  });
});
