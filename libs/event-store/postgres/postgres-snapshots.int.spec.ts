import { allEntries, instant, uuidv7 } from '#kernel';
import { teamAggregate, type TeamCommand } from '#workspace';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { CommandHandler } from '../port/command-handler';
import { PostgresEventStore } from './postgres-event-store';
import { PostgresSnapshots } from './postgres-snapshots';

const at = instant('2026-04-22T14:00:00.000Z');
const flip = (text: string) => Buffer.from(text).reverse().toString();
const BOX = { encrypt: (text: string) => `sealed ${flip(text)}`, decrypt: (box: string) => flip(box.slice(7)) };

describe('snapshots in PostgreSQL', () => {
  let test: TestDatabase;
  let store: PostgresEventStore;
  const faults: Error[] = [];

  beforeAll(async () => {
    test = await testDatabase();
    store = new PostgresEventStore(test.db);
  });
  afterAll(async () => {
    await store.close();
    await test.drop();
  });
  beforeEach(() => void faults.splice(0));

  const kept = (delayMs = 5) =>
    new PostgresSnapshots(test.db, { box: BOX, delayMs, onFault: (error) => faults.push(error) });
  const process = (snapshots = kept()) => new CommandHandler(store, { snapshots: { snapshots, every: 20 } });
  const send = (handler: CommandHandler, workspace: string, command: Partial<TeamCommand>) =>
    handler.handle(teamAggregate, workspace, { at, actor: 'usr_1', ...command } as TeamCommand, {
      workspace,
      actor: 'usr_1',
      correlationId: 'c',
      causationId: null,
      commandId: uuidv7(),
      at,
    });
  const grow = async (handler: CommandHandler, workspace: string, invitations: number, first = 0) => {
    for (let n = first; n < first + invitations; n++) {
      const [inviteId, userId] = [`inv_${uuidv7()}`, `usr_${n}`];
      await send(handler, workspace, { type: 'InviteMember', inviteId, email: 'somebody@example.com', role: 'viewer' });
      await send(handler, workspace, { type: 'AcceptInvitation', inviteId, userId });
    }
  };
  const members = async (handler: CommandHandler) =>
    allEntries((await handler.load(teamAggregate, 'ws_1', 'ws_1')).state.members);
  const rows = () =>
    test.db.query<{ workspace: string; revision: number; state: string }>('select * from log.snapshot order by stream');

  it('keeps a state sealed, after the answer, and gives it to another process whole', async () => {
    await grow(process(), 'ws_1', 15);
    await eventually(async () => expect(await rows()).toMatchObject([{ workspace: 'ws_1', revision: 19 }]));
    expect((await rows())[0]!.state).toMatch(/^sealed /);
    const whole = await new CommandHandler(store).load(teamAggregate, 'ws_1', 'ws_1');
    expect(await process().load(teamAggregate, 'ws_1', 'ws_1')).toEqual(whole);
    expect(allEntries(whole.state.members)).toHaveLength(15);
    expect(faults).toEqual([]);
  });

  it('goes on without one that cannot be opened or read, and says so', async () => {
    await test.db.query("update log.snapshot set state = 'spoilt'");
    const seen = process(kept(60_000));
    expect(await members(seen)).toHaveLength(15);
    expect(faults).toHaveLength(1);
    await test.db.script('alter table log.snapshot rename to hidden');
    const alone = kept(60_000);
    expect(await members(process(alone))).toHaveLength(15);
    await alone.write();
    expect(faults).toHaveLength(3);
    await test.db.script('alter table log.hidden rename to snapshot');
  });

  it('writes what several streams offered in one statement, the newest of each, also at the end of the process', async () => {
    const snapshots = kept(60_000);
    const handler = process(snapshots);
    for (const workspace of ['ws_2', 'ws_3']) await grow(handler, workspace, 31);
    expect(await rows()).toHaveLength(1);
    await snapshots.write();
    expect(await rows()).toMatchObject([{}, { revision: 59 }, { revision: 59 }]);
  });

  it('renews one whenever its stream has grown', async () => {
    const handler = process();
    const revisionOf = async () => (await rows()).find(({ workspace }) => workspace === 'ws_4')?.revision;
    for (const revision of [19, 39, 59]) {
      await grow(handler, 'ws_4', 10, revision);
      await eventually(async () => expect(await revisionOf()).toBe(revision));
    }
  });

  it('brings back nothing that was thrown away', async () => {
    const snapshots = kept(60_000);
    snapshots.offer('team-ws_6:a', 'shape', { state: {}, revision: 1, position: 10 });
    await snapshots.write();
    await test.db.query("delete from log.snapshot where workspace = 'ws_6'");
    await snapshots.write();
    expect(await snapshots.find('team-ws_6:a', 'shape')).toBeUndefined();
  });

  it('keeps one of the shape that was offered last', async () => {
    const snapshots = kept(60_000);
    for (const n of [1, 2]) {
      snapshots.offer('team-ws_5:a', `shape ${n}`, { state: { n }, revision: n, position: 10 * n });
      await snapshots.write();
    }
    expect(await snapshots.find('team-ws_5:a', 'shape 1')).toBeUndefined();
    expect(await snapshots.find('team-ws_5:a', 'shape 2')).toEqual({ state: { n: 2 }, revision: 2, position: 20 });
    expect(faults).toEqual([]);
  });
});
