import * as fc from 'fast-check';
import { DomainError, instant, uuidv7, type Aggregate, type CommandBase, type Message } from '#kernel';
import { campaignAggregate } from '#publishing';
import { assetAggregate, operationAggregate, type OperationCommand } from '#studio';
import { teamAggregate, type TeamCommand } from '#workspace';
import { MemoryEventStore } from '../memory/memory-event-store';
import { CommandHandler, type CommandContext } from './command-handler';
import type { Revision } from './event-store';
import { shapeOf, type Snapshot, type Snapshots } from './snapshots';

const at = instant('2026-04-22T14:00:00.000Z');
const stamp = { at, actor: 'usr_1' };
const WORKSPACE = 'ws_1';
const by = (commandId: string = uuidv7(), more: Partial<CommandContext> = {}): CommandContext => ({
  workspace: WORKSPACE,
  actor: 'usr_1',
  correlationId: 'c',
  causationId: null,
  commandId,
  at,
  ...more,
});

/** As a table has them: by value, one for a stream, gone when somebody throws them away. */
class KeptSnapshots implements Snapshots {
  readonly kept = new Map<string, Snapshot & { shape: string }>();
  finds = 0;

  async find(stream: string, shape: string) {
    this.finds++;
    const found = this.kept.get(stream);
    return found?.shape === shape ? structuredClone(found) : undefined;
  }

  offer(stream: string, shape: string, snapshot: Snapshot) {
    this.kept.set(stream, structuredClone({ ...snapshot, shape }));
  }
}

class CountedStore extends MemoryEventStore {
  /** How many events each read gave. */
  readonly reads: number[] = [];

  override async read(stream: string, from?: Revision, limit?: number) {
    const events = await super.read(stream, from, limit);
    this.reads.push(events.length);
    return events;
  }
}

/** Finds an event by its id, as an engine with an index does. */
class IndexedStore extends CountedStore {
  async positionOf(workspace: string, id: string) {
    const { events } = await this.readAll({ after: 0, limit: 1_000_000, workspace });
    return events.find((event) => event.id === id)?.position;
  }
}

const operation = (n: number): OperationCommand =>
  n === 0
    ? {
        ...stamp,
        type: 'StartOperation',
        operationId: 'op_1',
        kind: 'batch',
        region: null,
        total: 1e6,
        campaignId: null,
      }
    : { ...stamp, type: 'ReportProgress', done: n, failed: 0 };
const STREAM = 'operation-ws_1:op_1';

describe('a stream with more events than the limit', () => {
  let store: CountedStore;
  let snapshots: KeptSnapshots;
  /** As a process that has just started. */
  const fresh = (every = 10) => new CommandHandler(store, { snapshots: { snapshots, every } });
  const run = (handler: CommandHandler, n: number, context = by()) =>
    handler.handle(operationAggregate, 'op_1', operation(n), context);
  const grow = async (to: number, handler = fresh()) => {
    const { revision } = await handler.load(operationAggregate, WORKSPACE, 'op_1');
    for (let n = revision + 1; n <= to; n++) await run(handler, n);
  };

  beforeEach(() => {
    store = new IndexedStore();
    snapshots = new KeptSnapshots();
  });

  it('is folded from its snapshot and what came after, however long it is', async () => {
    await grow(95);
    expect(snapshots.kept.get(STREAM)).toMatchObject({ revision: 89 });
    store.reads.length = 0;
    const handler = fresh();
    expect(await handler.load(operationAggregate, WORKSPACE, 'op_1')).toMatchObject({
      revision: 95,
      state: { done: 95 },
    });
    expect(store.reads).toEqual([10, 7]);
    expect(await run(handler, 96)).toMatchObject({ revision: 96, state: { done: 96 } });
    expect(store.reads).toHaveLength(2);
  });

  it('is looked for among the snapshots at once by a process that found it long before', async () => {
    await grow(45);
    const small = new CommandHandler(store, { remembered: 1, snapshots: { snapshots, every: 10 } });
    for (const id of ['op_1', 'op_2', 'op_3']) await small.load(operationAggregate, WORKSPACE, id);
    await small.handle(operationAggregate, 'op_2', { ...operation(0), operationId: 'op_2' } as OperationCommand, by());
    await small.handle(operationAggregate, 'op_3', { ...operation(0), operationId: 'op_3' } as OperationCommand, by());
    store.reads.length = 0;
    await small.load(operationAggregate, WORKSPACE, 'op_1');
    expect(store.reads).toEqual([7]);
  });

  it('asks for no snapshot while it is short, and takes one read as before', async () => {
    await grow(8);
    [snapshots.finds, store.reads.length] = [0, 0];
    await fresh().load(operationAggregate, WORKSPACE, 'op_1');
    expect([snapshots.finds, store.reads, snapshots.kept.size]).toEqual([0, [9], 0]);
  });

  it('has the same state when all snapshots are thrown away', async () => {
    await grow(57);
    const before = await fresh().load(operationAggregate, WORKSPACE, 'op_1');
    snapshots.kept.clear();
    expect(await fresh().load(operationAggregate, WORKSPACE, 'op_1')).toEqual(before);
    expect(snapshots.kept.get(STREAM)).toMatchObject({ revision: 57 });
  });

  it('passes over a snapshot of another shape, and replaces it', async () => {
    await grow(30);
    snapshots.kept.set(STREAM, { ...snapshots.kept.get(STREAM)!, shape: 'another', state: { status: 'nonsense' } });
    expect(await fresh().load(operationAggregate, WORKSPACE, 'op_1')).toMatchObject({ state: { done: 30 } });
    expect(snapshots.kept.get(STREAM)).toMatchObject({ shape: shapeOf(operationAggregate), state: { done: 30 } });
  });

  it.each([
    ['another log, with another event at its revision', { position: 7_777 }],
    ['a log that lost its newest events', { revision: 900, position: 901 }],
  ])('passes over a snapshot of %s', async (_, other) => {
    await grow(30);
    snapshots.kept.set(STREAM, { ...snapshots.kept.get(STREAM)!, ...other, state: { status: 'nonsense' } });
    expect(await fresh().load(operationAggregate, WORKSPACE, 'op_1')).toMatchObject({
      revision: 30,
      state: { status: 'running', done: 30 },
    });
  });

  it('loses nothing when its process dies between an append and the snapshot of it', async () => {
    await grow(30);
    const older = new Map(snapshots.kept);
    await grow(75);
    for (const [stream, snapshot] of older) snapshots.kept.set(stream, snapshot);
    expect(await run(fresh(), 76)).toMatchObject({ revision: 76, state: { done: 76 } });
  });

  describe.each([
    ['finds an event by its id', IndexedStore],
    ['cannot find an event by its id', CountedStore],
  ])('on an engine that %s', (_, Store) => {
    beforeEach(() => (store = new Store()));

    it('finds the effect of a command that comes again although it is older than the snapshot', async () => {
      const handler = fresh();
      await grow(4, handler);
      const first = await run(handler, 5, by('k5', { repeatable: true }));
      await grow(60, handler);
      const knowing = fresh();
      await knowing.load(operationAggregate, WORKSPACE, 'op_1');
      for (const other of [fresh(), knowing]) {
        const again = await run(other, 5, by('k5', { repeatable: true }));
        expect(again).toMatchObject({ revision: 5, state: { done: 5 } });
        expect(again.events.map(({ id }) => id)).toEqual(first.events.map(({ id }) => id));
      }
      expect(await store.read(STREAM)).toHaveLength(61);
    });

    it('takes a command that comes again no second time, though it could be decided once more', async () => {
      const organize = (handler: CommandHandler, folder: string, context = by()) => {
        const placement = { assetId: 'ast_1', clientId: 'c', folder, campaignId: null };
        return handler.handle(assetAggregate, 'ast_1', { ...stamp, type: 'OrganizeAsset', ...placement }, context);
      };
      const handler = fresh();
      await organize(handler, 'first', by('k0', { repeatable: true }));
      for (let n = 1; n < 30; n++) await organize(handler, `${n}`);
      const knowing = fresh();
      await knowing.load(assetAggregate, WORKSPACE, 'ast_1');
      const again = await organize(knowing, 'first', by('k0', { repeatable: true }));
      expect(again).toMatchObject({ revision: 0, state: { folder: 'first' } });
      expect(await store.read('asset-ws_1:ast_1')).toHaveLength(30);
    });
  });

  it('is folded to its end where there are no snapshots, a stretch at a time', async () => {
    await grow(1);
    const [, reported] = await store.read(STREAM);
    const more = Array.from({ length: 5_001 }, (_, n) => ({
      ...reported!,
      id: uuidv7(),
      data: { done: n + 2, failed: 0 },
    }));
    await store.append(STREAM, more, 1);
    store.reads.length = 0;
    expect(await new CommandHandler(store).load(operationAggregate, WORKSPACE, 'op_1')).toMatchObject({
      revision: 5_002,
      state: { done: 5_002 },
    });
    expect(Math.max(...store.reads)).toBeLessThan(5_003);
  });

  it('is not read as a whole for a command that might come again and has not', async () => {
    await grow(95);
    const handler = fresh();
    await handler.load(operationAggregate, WORKSPACE, 'op_1');
    store.reads.length = 0;
    await run(handler, 96, by('k96', { repeatable: true }));
    expect(store.reads).toEqual([]);
  });
});

describe('the shape of a state', () => {
  const otherwise = (change: object) => ({
    ...operationAggregate,
    decider: { ...operationAggregate.decider, ...change },
  });

  it('is the same for the same aggregate, and another for each', () => {
    const all = [operationAggregate, teamAggregate, campaignAggregate].map((it) => shapeOf(it as unknown as Aggregate));
    expect(new Set(all).size).toBe(3);
    expect(shapeOf({ ...operationAggregate })).toBe(all[0]);
  });

  it('is another when the state begins, is folded, is declared or is told otherwise', () => {
    const { evolve } = operationAggregate.decider;
    const changed = [
      // What older events say is read otherwise from then on.
      { ...operationAggregate, events: { ...operationAggregate.events, OperationStarted: { version: 2 } } },
      otherwise({ stateVersion: 2 }),
      otherwise({ initial: { status: 'none' } }),
      otherwise({ evolve: { ...evolve, OperationFailed: (state: object) => ({ ...state, failed: true }) } }),
    ];
    const shapes = [operationAggregate, ...changed].map((it) => shapeOf(it as typeof operationAggregate));
    expect(new Set(shapes).size).toBe(5);
  });
});

describe('a state from a snapshot and one from the first event', () => {
  const some = (ids: string[]) => fc.constantFrom(...ids);
  const [invitations, users] = [some(['inv_1', 'inv_2', 'inv_3', 'inv_4']), some(['usr_1', 'usr_2', 'usr_3'])];
  const role = fc.constantFrom('owner', 'admin', 'editor', 'viewer');
  const team = fc.oneof(
    fc.record({ type: fc.constant('InviteMember'), inviteId: invitations, email: fc.constant('a@b.c'), role }),
    fc.record({ type: fc.constant('AcceptInvitation'), inviteId: invitations, userId: users }),
    fc.record({ type: fc.constant('ChangeRole'), userId: users, role }),
  ) as fc.Arbitrary<Omit<TeamCommand, 'at' | 'actor'>>;
  const posts = some(['pst_1', 'pst_2', 'pst_3']);
  const sourceEventId = fc.constant('evt_1');
  const campaign = fc.oneof(
    fc.record({
      type: fc.constant('CreateCampaign'),
      campaignId: fc.constant('x'),
      name: fc.string(),
      profileId: fc.constant('p'),
    }),
    fc.record({ type: fc.constant('AddPost'), campaignId: fc.constant('x'), postId: posts }),
    fc.record({
      type: fc.constant('RecordPostSettled'),
      campaignId: fc.constant('x'),
      postId: posts,
      outcome: fc.constantFrom('published', 'partial', 'failed'),
      round: fc.integer({ min: 1, max: 4 }),
      sourceEventId,
    }),
    fc.record({ type: fc.constant('RemovePost'), campaignId: fc.constant('x'), postId: posts }),
  ) as fc.Arbitrary<Omit<CommandBase, 'at' | 'actor'>>;

  it.each([
    ['a team', teamAggregate, team],
    ['a campaign', campaignAggregate, campaign],
  ] as [string, Aggregate, fc.Arbitrary<Omit<CommandBase, 'at' | 'actor'>>][])(
    'are equal for %s, whatever is done to it and whenever a process starts anew',
    (_, it_, command) =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(command, fc.boolean()), { maxLength: 40 }),
          fc.integer({ min: 1, max: 6 }),
          async (steps, every) => {
            const [store, plainStore] = [new IndexedStore(), new MemoryEventStore()];
            const snapshots = new KeptSnapshots();
            const start = () => new CommandHandler(store, { snapshots: { snapshots, every } });
            const outcome = (handler: CommandHandler, asked: object) =>
              handler
                .handle(it_, 'x', { ...stamp, ...asked } as CommandBase, by())
                .then(({ state, revision, events }) => ({ state, revision, events: events.map(dataOf) }))
                .catch((error: Error) => (error instanceof DomainError ? error.code : Promise.reject(error)));
            let handler = start();
            for (const [asked, anew] of steps) {
              if (anew) handler = start();
              expect(await outcome(handler, asked)).toEqual(await outcome(new CommandHandler(plainStore), asked));
            }
            const { state } = await new CommandHandler(store).load(it_, WORKSPACE, 'x');
            expect((await start().load(it_, WORKSPACE, 'x')).state).toEqual(state);
          },
        ),
        { numRuns: 60 },
      ),
  );
});

const dataOf = ({ type, data }: Message): Message => ({ type, data });
