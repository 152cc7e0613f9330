import { aggregate, decider, DomainError, instant, type Command, type Message } from '#kernel';
import { MemoryEventStore } from '../memory/memory-event-store';
import { CommandHandler, type CommandContext } from './command-handler';
import {
  EventStoreUnavailableError,
  WrongRevisionError,
  type EventStore,
  type NewEvent,
  type Revision,
} from './event-store';
import { StrangerInStreamError } from './read-own';

type Opened = Message<'Opened', { owner: string; openedAt: string }>;
type Added = Message<'Added', { amount: number; addedAt: string }>;
type Open = Command<'Open', { owner: string }>;
type Add = Command<'Add', { amount: number }>;
type Count = { owner: string | null; sum: number };

const counter = aggregate<Open | Add, Opened | Added, Count>({
  category: 'counter',
  events: { Opened: { version: 1 }, Added: { version: 1 } },
  decider: decider<Open | Add, Opened | Added, Count>({
    initial: { owner: null, sum: 0 },
    decide: {
      Open({ owner, at }, { owner: present }) {
        if (present !== null) throw new DomainError('COUNTER_OPEN', 'conflict', 'It is open.');
        return [{ type: 'Opened', data: { owner, openedAt: at } }];
      },
      Add({ amount, at }, { owner, sum }) {
        if (owner === null) throw new DomainError('COUNTER_CLOSED', 'conflict', 'It is not open.');
        if (sum + amount > 100) throw new DomainError('COUNTER_FULL', 'conflict', 'It holds 100.');
        return amount === 0 ? [] : [{ type: 'Added', data: { amount, addedAt: at } }];
      },
    },
    evolve: {
      Opened: (_, { owner }) => ({ owner, sum: 0 }),
      Added: (state, { amount }) => ({ ...state, sum: state.sum + amount }),
    },
  }),
});

const at = instant('2026-04-22T14:00:00.000Z');
const later = instant('2026-04-22T14:00:09.000Z');
const open = (owner = 'usr_1', when = at): Open => ({ type: 'Open', at: when, actor: 'usr_1', owner });
const add = (amount: number, when = at): Add => ({ type: 'Add', at: when, actor: 'usr_1', amount });
const by = (commandId: string, more: Partial<CommandContext> = {}): CommandContext => ({
  workspace: 'ws_1',
  actor: 'usr_1',
  correlationId: 'correlation-1',
  causationId: null,
  commandId,
  at,
  ...more,
});
const again = { repeatable: true };

/** Counts calls, and lets a test step in before an append or spoil its answer. */
class Watched extends MemoryEventStore {
  reads = 0;
  appends = 0;
  beforeAppend: (() => Promise<unknown>) | undefined;
  loseAnswer = false;

  override async read(stream: string, from?: Revision, limit?: number) {
    this.reads++;
    return super.read(stream, from, limit);
  }

  override async append(stream: string, events: readonly NewEvent[], expected: Revision) {
    this.appends++;
    const before = this.beforeAppend;
    this.beforeAppend = undefined;
    await before?.();
    const appended = await super.append(stream, events, expected);
    if (!this.loseAnswer) return appended;
    this.loseAnswer = false;
    throw new EventStoreUnavailableError('the connection is gone');
  }
}

describe('the command handler', () => {
  let store: Watched;
  let here: CommandHandler;
  let elsewhere: CommandHandler;
  const stream = 'counter-ws_1:c1';
  const handle = (handler: CommandHandler, command: Open | Add, context: CommandContext, expected?: Revision) =>
    handler.handle(counter, 'c1', command, context, expected === undefined ? {} : { expected });

  beforeEach(() => {
    store = new Watched();
    here = new CommandHandler(store);
    elsewhere = new CommandHandler(store);
  });

  it('appends what was decided, with ids from the command and all that is known of it', async () => {
    const handled = await handle(here, open(), by('k1', { traceparent: '00-1-2-01', causationId: 'evt_0' }));
    expect(handled).toMatchObject({ state: { owner: 'usr_1', sum: 0 }, revision: 0, position: 1 });
    const [event] = await store.read(stream);
    expect(event).toMatchObject({ id: handled.events[0]!.id, type: 'Opened', data: { owner: 'usr_1', openedAt: at } });
    expect(event!.metadata).toEqual({
      workspace: 'ws_1',
      actor: 'usr_1',
      correlationId: 'correlation-1',
      causationId: 'evt_0',
      commandId: 'k1',
      schemaVersion: 1,
      occurredAt: at,
      traceparent: '00-1-2-01',
    });
  });

  it('needs no read when it knows the stream', async () => {
    await handle(here, open(), by('k1'));
    await handle(here, add(1), by('k2', again));
    expect(await handle(here, add(2), by('k3'))).toMatchObject({ state: { sum: 3 }, revision: 2 });
    expect(store.reads).toBe(0);
  });

  it('remembers no more states than may be in memory, however large they are', async () => {
    const size = 1_000_000;
    for (let n = 0; n < 100; n++) await here.handle(counter, `c${n}`, open('x'.repeat(size)), by(`k${n}`));
    const held = () => Array.from({ length: 100 }, (_, n) => here['cache'].get(`counter-ws_1:c${n}`)?.size ?? 0);
    expect(held().filter((each) => each > 0).length).toBeGreaterThan(30);
    expect(held().reduce((sum, each) => sum + each)).toBeLessThanOrEqual(64_000_000);
    // Of what is folded, only what is left of it counts.
    for (let n = 0; n < 20; n++) await here.handle(counter, 'other', n === 0 ? open('y') : add(1), by(`o${n}`));
    await here.handle(counter, 'c99', add(1), by('c99 again'));
    expect(here['cache'].get('counter-ws_1:other')!.size).toBeLessThan(10_000);
    expect(here['cache'].get('counter-ws_1:c99')!.size).toBeLessThan(size * 1.01);
  });

  it('decides again on what another process appended in the meantime', async () => {
    await handle(here, open(), by('k1'));
    store.beforeAppend = () => handle(elsewhere, add(60), by('k2'));
    expect(await handle(here, add(30), by('k3'))).toMatchObject({ state: { sum: 90 }, revision: 2 });
    store.beforeAppend = () => handle(elsewhere, add(10), by('k4'));
    await expect(handle(here, add(5), by('k5'))).rejects.toMatchObject({ code: 'COUNTER_FULL' });
    expect(await store.read(stream)).toHaveLength(4);
  });

  it('never refuses from memory: the log is read first', async () => {
    await expect(handle(here, add(1), by('k0'))).rejects.toMatchObject({ code: 'COUNTER_CLOSED' });
    await handle(elsewhere, open(), by('k1'));
    expect(await handle(here, add(1), by('k2'))).toMatchObject({ state: { sum: 1 }, revision: 1 });
  });

  it('gives no answer without events from memory', async () => {
    await handle(here, open(), by('k1'));
    await handle(elsewhere, add(7), by('k2'));
    expect(await handle(here, add(0), by('k3'))).toEqual({
      state: { owner: 'usr_1', sum: 7 },
      revision: 1,
      position: 2,
      events: [],
    });
  });

  it('notices that its memory is of another log, such as one that was restored', async () => {
    let log = new MemoryEventStore();
    const engine = new Proxy(log, {
      get: (_, name) => (log[name as keyof MemoryEventStore] as () => unknown).bind(log),
    });
    const handler = new CommandHandler(engine);
    await handle(handler, open('usr_1'), by('k1'));
    await handle(handler, add(90), by('k2'));
    log = new MemoryEventStore();
    await handle(new CommandHandler(log), open('usr_2'), by('k9'));
    await expect(handle(handler, add(20), by('k3'))).resolves.toMatchObject({
      state: { owner: 'usr_2', sum: 20 },
      revision: 1,
    });
  });

  it('puts hundreds of commands for one thing through at once, each once', async () => {
    await handle(here, open(), by('k'));
    const handled = await Promise.all(
      Array.from({ length: 300 }, (_, n) => handle(n % 3 ? here : elsewhere, add(n < 100 ? 1 : 0), by(`k${n}`))),
    );
    expect(handled).toHaveLength(300);
    expect((await here.load(counter, 'ws_1', 'c1')).state.sum).toBe(100);
  });

  it('lets a refused or failed command hold up nobody behind it', async () => {
    store.loseAnswer = true;
    const outcomes = await Promise.allSettled([
      handle(here, open(), by('k1')),
      handle(here, open(), by('k2')),
      handle(here, add(5), by('k3')),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(outcomes[0]).toMatchObject({ reason: expect.any(EventStoreUnavailableError) });
    expect(outcomes[1]).toMatchObject({ reason: { code: 'COUNTER_OPEN' } });
  });

  describe('given the same command again', () => {
    it('answers as it did the first time, also after a crash and after other commands', async () => {
      await handle(here, open(), by('k1'));
      const first = await handle(here, add(5), by('k2', again));
      await handle(here, add(7), by('k3'));
      for (const handler of [here, new CommandHandler(store)]) {
        const second = await handle(handler, add(5, later), by('k2', { ...again, at: later }));
        expect(second).toMatchObject({ state: { sum: 5 }, revision: first.revision, position: first.position });
        expect(second.events.map(({ id, data }) => ({ id, data }))).toEqual(
          first.events.map(({ id, data }) => ({ id, data })),
        );
      }
      expect(await store.read(stream)).toHaveLength(3);
    });

    it('answers with what stands in the log when the answer of the first try was lost', async () => {
      store.loseAnswer = true;
      await expect(handle(here, open('usr_1', at), by('k1', again))).rejects.toBeInstanceOf(EventStoreUnavailableError);
      const second = await handle(here, open('usr_1', later), by('k1', { ...again, at: later }));
      expect(second).toMatchObject({ revision: 0, state: { owner: 'usr_1' }, events: [{ data: { openedAt: at } }] });
      expect(await store.read(stream)).toHaveLength(1);
    });

    it('has one effect when two processes run it at the same moment, and both answer with it', async () => {
      await handle(here, open(), by('k1'));
      await elsewhere.load(counter, 'ws_1', 'c1');
      const [one, two] = await Promise.all([
        handle(here, add(5, at), by('k2', again)),
        handle(elsewhere, add(5, later), by('k2', { ...again, at: later })),
      ]);
      expect([one.revision, two.revision]).toEqual([1, 1]);
      expect(two.events[0]!.data).toEqual(one.events[0]!.data);
      expect(await store.read(stream)).toHaveLength(2);
    });

    it('finds it although If-Match has become stale by it', async () => {
      await handle(here, open(), by('k1'));
      await handle(here, add(5), by('k2', again), 0);
      expect(await handle(here, add(5), by('k2', again), 0)).toMatchObject({ revision: 1 });
    });

    it('reads back on an engine that does not tell a repeated append', async () => {
      const quiet = Object.assign(Object.create(store) as Watched, {
        append: async (...append: Parameters<EventStore['append']>) => {
          const { revision, position } = await store.append(...append);
          return { revision, position };
        },
      });
      await handle(here, open('usr_1', at), by('k1', again));
      const second = await handle(new CommandHandler(quiet), open('usr_1', later), by('k1', { ...again, at: later }));
      expect(second.events[0]!.data).toMatchObject({ openedAt: at });
    });
  });

  describe('given If-Match', () => {
    it('goes on at that revision and refuses at every other', async () => {
      await handle(here, open(), by('k1'));
      expect(await handle(here, add(1), by('k2'), 0)).toMatchObject({ revision: 1 });
      for (const stale of [0, 2])
        await expect(handle(here, add(1), by(`s${stale}`), stale)).rejects.toMatchObject({
          code: 'REVISION_STALE',
          kind: 'stale',
        });
      expect(await handle(new CommandHandler(store), add(1), by('k3'), 1)).toMatchObject({ revision: 2 });
    });

    it('lets the decider speak first of a thing that is not there', async () => {
      await expect(handle(here, add(1), by('k1'), 3)).rejects.toMatchObject({ code: 'COUNTER_CLOSED' });
      await expect(handle(here, open(), by('k2'), 0)).rejects.toMatchObject({ code: 'REVISION_STALE' });
      expect(await store.read(stream)).toEqual([]);
    });

    it('says of what has changed that it has, before anything else', async () => {
      await handle(here, open(), by('k1'));
      await handle(here, add(90), by('k2'));
      await expect(handle(here, add(50), by('k3'), 0)).rejects.toMatchObject({ code: 'REVISION_STALE' });
    });

    it('refuses when another process was faster', async () => {
      await handle(here, open(), by('k1'));
      store.beforeAppend = () => handle(elsewhere, add(1), by('k2'));
      await expect(handle(here, add(2), by('k3'), 0)).rejects.toMatchObject({ code: 'REVISION_STALE' });
      expect((await here.load(counter, 'ws_1', 'c1')).state.sum).toBe(1);
    });
  });

  it('keeps the things of two workspaces apart', async () => {
    await handle(here, open(), by('k1'));
    await handle(here, open('usr_2'), by('k2', { workspace: 'ws_2' }));
    expect((await here.load(counter, 'ws_2', 'c1')).state.owner).toBe('usr_2');
    expect((await here.load(counter, 'ws_3', 'c1')).revision).toBe(-1);
  });

  it('remembers no more streams than it may', async () => {
    const small = new CommandHandler(store, { remembered: 2 });
    for (const id of ['a', 'b', 'c']) await small.handle(counter, id, open(), by(`k${id}`));
    for (const id of ['a', 'b', 'c']) await small.handle(counter, id, add(1), by(`l${id}`));
    for (const id of ['a', 'b', 'c']) expect((await small.load(counter, 'ws_1', id)).state.sum).toBe(1);
  });

  it('refuses to go on with an event that its build does not know', async () => {
    await handle(here, open(), by('k1'));
    const [event] = await store.read(stream);
    await store.append(stream, [{ ...event!, id: '00000000-0000-8000-8000-000000000001', type: 'Invented' }], 0);
    await expect(here.load(counter, 'ws_1', 'c1')).rejects.toThrow('holds Invented, which counter does not know');
  });

  it('believes no event of another workspace that stands in the stream, nor decides on it', async () => {
    await handle(here, open(), by('k1'));
    const [event] = await store.read(stream);
    const metadata = { ...event!.metadata, workspace: 'ws_2' };
    await store.append(stream, [{ ...event!, id: '00000000-0000-8000-8000-000000000001', metadata }], 0);
    for (const handler of [here, elsewhere]) {
      await expect(handle(handler, add(1), by('k2'))).rejects.toBeInstanceOf(StrangerInStreamError);
      await expect(handler.load(counter, 'ws_1', 'c1')).rejects.toThrow(
        `${stream} holds an event of ws_2 at revision 1`,
      );
    }
    expect(await store.read(stream)).toHaveLength(2);
  });

  it('gives up a stream that others write to faster than it can decide', async () => {
    let appends = 0;
    const busy = new MemoryEventStore();
    busy.append = async (stream, _, expected) => {
      if (++appends > 200) throw new Error('It goes on for ever');
      throw new WrongRevisionError(stream, expected, expected + 1);
    };
    await expect(new CommandHandler(busy).handle(counter, 'busy', open(), by('x'))).rejects.toThrow(
      EventStoreUnavailableError,
    );
  });
});
