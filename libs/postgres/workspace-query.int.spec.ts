import { testDatabase, type TestDatabase } from '#testing';
import { planned } from './database';
import { lockRows } from './row-security';

const WHO = `select current_user::text as role, current_setting('postledger.workspace', true) as workspace`;
const KEYS = 'select workspace, id from api.key order by id';

describe('a query in a workspace', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    // One connection: what a query leaves behind, the next one meets.
    test = await testDatabase({ max: 1 });
    for (const workspace of ['ws_1', 'ws_2'])
      await test.db.query(
        "insert into api.key (workspace, id, name, kind, scopes, hash, created_at) values ($1, 'key_' || $1, 'n', 'service', '{}', $1, now())",
        [workspace],
      );
    expect(await lockRows(test.db)).toBeUndefined();
  });
  afterAll(() => test.drop());

  it('sees the rows of that workspace alone, whatever it asks for', async () => {
    expect(await test.db.inWorkspace('ws_1').query(KEYS)).toEqual([{ workspace: 'ws_1', id: 'key_ws_1' }]);
    expect(await test.db.inWorkspace('ws_2').query(KEYS)).toEqual([{ workspace: 'ws_2', id: 'key_ws_2' }]);
    expect(await test.db.inWorkspace('ws_3').query(KEYS)).toEqual([]);
    expect(await test.db.inWorkspace('').query(KEYS)).toEqual([]);
    expect(await test.db.query(KEYS)).toHaveLength(2);
  });

  it.each([WHO, planned(WHO)])('leaves neither its role nor its workspace to the connection: %s', async (text) => {
    expect(await test.db.inWorkspace('ws_1').query(text)).toEqual([{ role: 'postledger_reader', workspace: 'ws_1' }]);
    const [{ role, workspace }] = (await test.db.query<{ role: string; workspace: string | null }>(WHO)) as [
      { role: string; workspace: string | null },
    ];
    expect(role).not.toBe('postledger_reader');
    expect(workspace ?? '').toBe('');
    await test.db.tx(async (sql) => expect(await sql.query(KEYS)).toHaveLength(2));
  });

  it('may not write, nor read what belongs to nobody', async () => {
    const reads = test.db.inWorkspace('ws_1');
    await expect(reads.query("delete from api.key where id = 'key_ws_1'")).rejects.toMatchObject({ code: '42501' });
    await expect(reads.query('select * from log.event')).rejects.toMatchObject({ code: '42501' });
    await expect(reads.query('select response from delivery.attempt')).rejects.toMatchObject({ code: '42501' });
    await expect(reads.query('select body from delivery.body')).rejects.toMatchObject({ code: '42501' });
    expect(await test.db.query(KEYS)).toHaveLength(2);
  });

  it('leaves the connection whole when it fails, at its first time and later', async () => {
    const broken = 'select 1 / (length($1) - 3) as n';
    const reads = test.db.inWorkspace('ws_1');
    for (let time = 0; time < 2; time++) {
      await expect(reads.query('select nothing from nowhere')).rejects.toMatchObject({ code: '42P01' });
      await expect(reads.query(broken, ['abc'])).rejects.toMatchObject({ code: '22012' });
      expect(await reads.query(broken, ['abcd'])).toEqual([{ n: 1 }]);
    }
    const circular: { self?: object } = {};
    circular.self = circular;
    await expect(reads.query('select $1::json as n', [circular])).rejects.toThrow('circular');
    expect(await reads.query(KEYS)).toHaveLength(1);
    expect(await test.db.query(KEYS)).toHaveLength(2);
  });

  it.each([KEYS, planned(KEYS)])('leaves the connection whole when its workspace is refused: %s', async (text) => {
    for (let time = 0; time < 2; time++) {
      await expect(test.db.inWorkspace('ws\0').query(text)).rejects.toMatchObject({ code: '22021' });
      expect(await test.db.inWorkspace('ws_1').query(text)).toEqual([{ workspace: 'ws_1', id: 'key_ws_1' }]);
      expect(await test.db.query(KEYS)).toHaveLength(2);
    }
  });

  it('goes on after its role was taken away and given back', async () => {
    const { db } = test;
    const text = 'select id as again from api.key';
    await db.script('revoke usage on schema api from postledger_reader');
    await expect(db.inWorkspace('ws_1').query(text)).rejects.toMatchObject({ code: '42501' });
    expect(await lockRows(db)).toBeUndefined();
    expect(await db.inWorkspace('ws_1').query(text)).toEqual([{ again: 'key_ws_1' }]);
  });
});

describe('a database whose user may not have the role', () => {
  it('says why, and reads on without', async () => {
    const test = await testDatabase();
    const name = `plain_${new URL(test.url).pathname.slice(-12)}`;
    await test.db.script(
      `create role ${name}; grant usage on schema tenancy, api to ${name}; grant select on api.key to ${name}`,
    );
    const reason = await test.db.tx(async (sql) => {
      await sql.script(`set local role ${name}`);
      const [row] = await sql.query<{ reason: string }>('select tenancy.open_reads() as reason');
      return row!.reason;
    });
    expect(reason).toBe(`${name} may not take the role postledger_reader`);
    expect(await test.db.inWorkspace('ws_1').query(WHO)).not.toMatchObject([{ role: 'postledger_reader' }]);
    await test.db.script(`drop owned by ${name}; drop role ${name}`);
    await test.drop();
  });
});
