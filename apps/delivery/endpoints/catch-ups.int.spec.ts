import type { EventStore, ReadAllOptions } from '#event-store';
import { uuidv7 } from '#kernel';
import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';

/** Of a catch-up alone. */
const PAGE = 500;

describe('endpoints that catch up', () => {
  let world: World;
  afterEach(() => world.close());

  /** The store, whose pages for a catch-up go by `before` first. */
  const watched = (store: EventStore, before: (workspace: string) => Promise<void>): EventStore =>
    new Proxy(store, {
      get(target, name: keyof EventStore) {
        if (name === 'readAll')
          return async (options: ReadAllOptions) => {
            if (options.limit === PAGE) await before(options.workspace!);
            return target.readAll(options);
          };
        const member: unknown = target[name];
        return typeof member === 'function' ? (member as () => unknown).bind(target) : member;
      },
    });

  /** A world whose catch-ups wait at their first page for `begin`, and the workspaces whose pages they have asked for. */
  async function openHeld(): Promise<{ read: readonly string[]; begin: () => void }> {
    const read: string[] = [];
    let begin = (): void => undefined;
    const begun = new Promise<void>((done) => (begin = done));
    const before = async (workspace: string) => {
      read.push(workspace);
      await begun;
    };
    world = await World.open({ as: (store) => watched(store, before) });
    return { read, begin };
  }

  it('take turns: one that is new does not wait for the end of those with a long history', async () => {
    const { read, begin } = await openHeld();
    const worker = await world.worker();
    await world.happen('a', 6 * PAGE + 10, 'ws_long');
    await world.fresh();
    const wanted = { eventTypes: ['post.*'], startFrom: '2020-01-01T00:00:00.000Z' };
    for (const n of [1, 2, 3, 4]) await world.register(`whe_${n}`, 'http://127.0.0.1:9/', wanted, 'ws_long');
    await world.pass(worker);
    // As many as are caught up at once, each at its first page.
    await eventually(() => expect(read).toHaveLength(4));
    await world.register('whe_new', 'http://127.0.0.1:9/', { eventTypes: ['post.*'] }, 'ws_new');
    await world.pass(worker);
    begin();
    await world.live(5);
    expect(read.slice(0, 4)).toEqual(Array<string>(4).fill('ws_long'));
    expect(read.indexOf('ws_new')).toBeLessThan(10);
    expect(read.filter((workspace) => workspace === 'ws_long').length).toBeGreaterThanOrEqual(28);
  });

  it('take turns by workspace: the endpoint of one does not wait for the many of another', async () => {
    const { read, begin } = await openHeld();
    const worker = await world.worker();
    for (let n = 0; n < 30; n++)
      await world.register(`whe_${n}`, 'http://127.0.0.1:9/', { eventTypes: ['post.*'] }, 'ws_many');
    await world.pass(worker);
    await eventually(() => expect(read).toHaveLength(4));
    await world.register('whe_one', 'http://127.0.0.1:9/', { eventTypes: ['post.*'] }, 'ws_one');
    await world.pass(worker);
    begin();
    await world.live(31);
    // After what is left of the four that were under way.
    expect(read.indexOf('ws_one')).toBeLessThan(15);
    expect(read.lastIndexOf('ws_many')).toBeGreaterThan(29);
  });

  it.each([
    ['page by page', 250, 40_000],
    ['at once', 60, 160_000],
  ])('take large ones a few at a time: %s', async (_, count, size) => {
    const receiver = await Receiver.open();
    world = await World.open();
    const worker = await world.worker();
    const region = 'x'.repeat(size);
    const events = Array.from({ length: count }, (_each, n) => ({
      id: uuidv7(),
      type: 'RegionPerformanceUpdated',
      data: { region, period: String(n), impressions: 1, engagements: 2, contentCount: 3 },
      metadata: {
        workspace: 'ws_1',
        actor: 'usr_1',
        correlationId: 'cor_1',
        causationId: null,
        commandId: 'c',
        schemaVersion: 1,
        occurredAt: world.by().at,
      },
    }));
    await world.store.append('region-ws_1:large', events, -1);
    await world.fresh();
    const sizes: number[] = [];
    const { db } = world.test;
    const tx = db.tx.bind(db);
    db.tx = (work, options) =>
      tx(
        (sql) =>
          work({
            ...sql,
            query: (text, params) => {
              if (text.includes('delivery.backfill(')) sizes.push((params![9] as string[]).join('').length);
              return sql.query(text, params);
            },
          }),
        options,
      );
    await world.register('whe_large', receiver.url('/large'), { startFrom: '2020-01-01T00:00:00.000Z' });
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/large').length).toBe(count));
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThan(9_000_000);
    expect(
      await db.query('select count(distinct sequence)::int as numbers, max(sequence) as last from delivery.delivery'),
    ).toEqual([{ numbers: count, last: count }]);
    await receiver.close();
  });
});
