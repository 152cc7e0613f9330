import { Registry } from 'prom-client';
import { instant, systemClock } from '#kernel';
import type { Database, Sql } from '#postgres';
import { eventually } from '#testing';
import type { Leases } from '../dispatch/leases';
import type { Endpoint } from '../endpoints/endpoint';
import { deliveryMetrics } from '../metrics';
import { Retries, type RetriesNeeds } from './retries';

const PAST = '2026-01-01T00:00:00.000Z';

/** What waits in the database, by the numbers of endpoints: when the first is due, and how often more can be claimed. */
const surroundings = (over: Partial<RetriesNeeds> = {}) => {
  const due = new Map<number, { at: string; times: number }>();
  const rooms = new Map<number, number>();
  const claimed: number[][] = [];
  /** How many of each. */
  const counts: number[][] = [];
  let looks = 0;
  const claim = (endpoints: readonly number[]): void => {
    claimed.push([...endpoints]);
    for (const no of endpoints) due.get(no)!.times--;
  };
  const rows = () => [...due].map(([endpoint, { at, times }]) => ({ endpoint, due_at: times > 0 ? at : null }));
  const answer = (text: string, params: readonly unknown[]): unknown[] => {
    if (text.includes('delivery.claim')) {
      claim(params[3] as number[]);
      counts.push(params[4] as number[]);
      return [];
    }
    if (!text.includes('delivery.next_due'))
      return rows().filter(({ endpoint }) => (params[0] as number[]).includes(endpoint));
    looks++;
    return rows().filter(({ due_at }) => due_at !== null);
  };
  /** Answers that are on their way, once somebody holds them up. */
  const held: (() => void)[] = [];
  let holds: (text: string) => boolean = () => false;
  const sql: Sql = {
    query: <Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> => {
      const rows = answer(text, params) as Row[];
      return holds(text) ? new Promise<Row[]>((come) => held.push(() => come(rows))) : Promise.resolve(rows);
    },
    script: () => Promise.resolve(),
  };
  const endpoint = (no: number) =>
    rooms.has(no) ? ({ no, open: true, row: { config: { ordered: false } } } as Endpoint) : undefined;
  const retries = new Retries({
    db: { ...sql, tx: <T>(work: (one: Sql) => Promise<T>) => work(sql) } as unknown as Database,
    clock: systemClock,
    metrics: deliveryMetrics(new Registry()),
    leases: { writing: (work) => work(() => ({ id: 'b', worker: 'w', size: 0, recorded: 0 })) } as Leases,
    isSure: () => true,
    endpoint,
    room: ({ no }) => rooms.get(no)!,
    dispatch: () => undefined,
    purge: () => Promise.resolve(0),
    refreshEndpoints: () => Promise.resolve(),
    onFault: (error) => {
      throw error;
    },
    ...over,
  });
  const hold = (part: string): (() => void)[] => {
    holds = (text) => text.includes(part);
    return held;
  };
  return { retries, due, rooms, claimed, counts, looks: () => looks, hold };
};

describe('what waits for a retry', () => {
  let stop: () => void;
  afterEach(() => stop());
  const start = async (waiting: ReturnType<typeof surroundings>): Promise<void> => {
    stop = () => waiting.retries.stop();
    waiting.retries.start();
    await eventually(() => expect(waiting.looks()).toBe(1));
  };

  it('is claimed as soon as its endpoint has room', async () => {
    const waiting = surroundings();
    waiting.due.set(1, { at: PAST, times: 1 });
    waiting.rooms.set(1, 0);
    await start(waiting);
    waiting.rooms.set(1, 5);
    waiting.retries.room(1);
    await eventually(() => expect(waiting.claimed).toEqual([[1]]));
    expect(waiting.looks()).toBe(1);
  });

  it('is claimed when the first of its endpoint is due, though others are due later', async () => {
    const waiting = surroundings();
    waiting.due.set(1, { at: instant(Date.now() + 60_000), times: 1 });
    waiting.rooms.set(1, 5);
    await start(waiting);
    waiting.retries.note(1, Date.now() + 30);
    await eventually(() => expect(waiting.claimed).toEqual([[1]]));
    expect(waiting.looks()).toBe(1);
  });

  it.each([
    ['what is due in all', 'next_due'],
    ['what is left of what was claimed', 'min(r.due_at)'],
  ])('is claimed when it is due also where it was noted while the database was asked for %s', async (_, question) => {
    const waiting = surroundings();
    waiting.rooms.set(1, 5);
    waiting.due.set(1, { at: PAST, times: question === 'next_due' ? 0 : 1 });
    const held = waiting.hold(question);
    await start(waiting);
    await eventually(() => expect(held).toHaveLength(1));
    waiting.due.set(1, { at: PAST, times: 1 });
    const before = waiting.claimed.length;
    waiting.retries.note(1, Date.now() + 30);
    waiting.hold('nothing any more');
    held[0]!();
    await eventually(() => expect(waiting.claimed).toHaveLength(before + 1));
    expect(waiting.looks()).toBe(1);
  });

  it('is looked at again when somebody says during a look that there is more', async () => {
    const waiting = surroundings();
    waiting.rooms.set(1, 5);
    const held = waiting.hold('next_due');
    await start(waiting);
    waiting.due.set(1, { at: PAST, times: 1 });
    waiting.retries.wake();
    expect(waiting.looks()).toBe(1);
    waiting.hold('nothing any more');
    held[0]!();
    await eventually(() => expect(waiting.claimed).toEqual([[1]]));
    expect(waiting.looks()).toBe(2);
  });

  it('comes in turn, endpoint by endpoint, where all of them have more than is claimed at once', async () => {
    const waiting = surroundings();
    for (const no of [1, 2, 3, 4, 5, 6]) {
      waiting.due.set(no, { at: PAST, times: 2 });
      waiting.rooms.set(no, 1_000);
    }
    await start(waiting);
    await eventually(() =>
      expect(waiting.claimed).toEqual([
        [1, 2, 3],
        [4, 5, 6],
        [1, 2, 3],
        [4, 5, 6],
      ]),
    );
    expect(waiting.counts).toEqual(waiting.claimed.map(() => [200, 200, 100]));
  });

  it('of an endpoint that this process has not heard of makes it ask', async () => {
    const waiting = surroundings({ refreshEndpoints: () => Promise.resolve(void waiting.rooms.set(1, 5)) });
    waiting.due.set(1, { at: PAST, times: 1 });
    await start(waiting);
    await eventually(() => expect(waiting.claimed).toContainEqual([1]));
  });

  it('is left to others while nobody knows whether this worker is still one', async () => {
    let isSure = false;
    const waiting = surroundings({ isSure: () => isSure });
    waiting.due.set(1, { at: PAST, times: 1 });
    waiting.rooms.set(1, 5);
    await start(waiting);
    waiting.retries.room(1);
    await new Promise(setImmediate);
    expect(waiting.claimed).toEqual([]);
    isSure = true;
    waiting.retries.room(1);
    await eventually(() => expect(waiting.claimed).toContainEqual([1]));
  });

  it('of an endpoint that has begun to ask for order is left to its line', async () => {
    const waiting = surroundings({
      endpoint: (no) => ({ no, open: true, row: { config: { ordered: no === 1 } } }) as Endpoint,
    });
    await start(waiting);
    for (const no of [1, 2]) {
      waiting.rooms.set(no, 5);
      waiting.due.set(no, { at: PAST, times: 1 });
      waiting.retries.note(no, Date.parse(PAST));
    }
    await eventually(() => expect(waiting.claimed).toContainEqual([2]));
    expect(waiting.claimed.flat()).not.toContain(1);
  });

  it('of an endpoint that is closed is given up', async () => {
    const purged: number[] = [];
    const waiting = surroundings({
      endpoint: (no) => ({ no, open: false }) as Endpoint,
      purge: ({ no }) => Promise.resolve(purged.push(no) - 1),
    });
    waiting.due.set(1, { at: PAST, times: 1 });
    await start(waiting);
    await eventually(() => expect(purged).toEqual([1]));
    expect(waiting.claimed).toEqual([]);
  });

  it('of an endpoint that is closed holds nobody up, however long it takes to give it up', async () => {
    const backlog = new Map([
      [1, 3],
      [2, 2],
    ]);
    const purged: number[] = [];
    let goOn: (() => void) | undefined;
    const waiting = surroundings({
      endpoint: (no) => ({ no, open: !backlog.has(no), row: { config: { ordered: false } } }) as Endpoint,
      room: () => 5,
      purge: async ({ no }) => {
        await new Promise<void>((go) => (goOn = go));
        purged.push(no);
        const left = backlog.get(no)!;
        backlog.set(no, Math.max(0, left - 1));
        return left;
      },
    });
    waiting.due.set(1, { at: PAST, times: 1 });
    waiting.due.set(2, { at: PAST, times: 1 });
    waiting.due.set(3, { at: PAST, times: 1 });
    await start(waiting);
    await eventually(() => expect(goOn).toBeDefined());
    await eventually(() => expect(waiting.claimed).toEqual([[3]]));
    expect(purged).toEqual([]);
    // What came meanwhile is found as well.
    waiting.due.set(4, { at: PAST, times: 1 });
    waiting.retries.wake();
    await eventually(() => expect(waiting.claimed).toEqual([[3], [4]]));
    expect(purged).toEqual([]);
    await eventually(() => {
      goOn!();
      expect([...backlog.values()]).toEqual([0, 0]);
    });
    // A part of each in turn.
    expect(purged.slice(0, 4)).toEqual([1, 2, 1, 2]);
  });
});
