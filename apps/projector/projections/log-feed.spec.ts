import * as fc from 'fast-check';
import type { NewEvent } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { eventIdOf } from '#kernel';
import { eventually } from '#testing';
import { LogFeed } from './log-feed';

const metadata = {
  workspace: 'ws_1',
  actor: 'system',
  correlationId: 'c',
  causationId: null,
  commandId: 'x',
  schemaVersion: 1,
  occurredAt: '2026-05-01T10:00:00.000Z',
};
const event = (n: number): NewEvent => ({
  id: eventIdOf('feed', n),
  type: 'Counted',
  data: { n, text: 'x'.repeat(n % 10) },
  metadata,
});

async function storeOf(count: number): Promise<MemoryEventStore> {
  const store = new MemoryEventStore();
  for (let n = 0; n < count; n++) await store.append(`thing-ws_1:${n}`, [event(n)], -1);
  return store;
}

/** Reads as one projection does, until it has `count` events. */
async function consume(feed: LogFeed, from: number, count: number, limit: number): Promise<number[]> {
  const seen: number[] = [];
  const { signal } = new AbortController();
  for (let position = from; seen.length < count;) {
    const batch = await feed.next(position, limit, signal);
    seen.push(...batch!.events.map((it) => it.position));
    position = batch!.position;
  }
  return seen;
}

const upTo = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n + 1);

describe('the log feed', () => {
  it('gives every follower every event once and in order, wherever it begins and however slow it is', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 120 }),
        fc.record({ count: fc.integer({ min: 1, max: 30 }), size: fc.integer({ min: 1, max: 500 }) }),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 5 }),
        async (count, keep, followers) => {
          const store = await storeOf(count);
          const feed = new LogFeed(store, () => undefined, keep);
          const reads = followers.map(([start, limit]) => {
            const from = start % count;
            return consume(feed, from, count - from, limit).then((seen) => expect(seen).toEqual(upTo(from, count)));
          });
          await Promise.all(reads);
          await feed.stop();
          await store.close();
        },
      ),
      { numRuns: 40 },
    ));

  it('keeps no more than may be in memory, however large events are', async () => {
    const store = await storeOf(0);
    const feed = new LogFeed(store, () => undefined, { count: 1_000, size: 30_000 });
    const { signal } = new AbortController();
    let read = 0;
    for (let n = 1; n <= 40; n++) {
      const text = 'x'.repeat(10_000);
      await store.append(`thing-ws_1:large ${n}`, [{ ...event(n), data: { text } }], -1);
      const { events, position } = (await feed.next(read, 10, signal))!;
      expect([events.length, position]).toEqual([1, n]);
      read = position;
    }
    expect(feed['events'].length).toBeLessThanOrEqual(4);
    expect(feed['size']).toBeLessThan(45_000);
    // Who is further behind reads the log.
    expect(await consume(feed, 0, 40, 100)).toEqual(upTo(0, 40));
    await feed.stop();
    await store.close();
  });

  it('says whether there is more behind a batch, also when that ends where the log does', async () => {
    const store = await storeOf(5);
    const feed = new LogFeed(store, () => undefined);
    const isFull = async (limit: number) => (await feed.next(0, limit, new AbortController().signal))!.isFull;
    expect([await isFull(4), await isFull(5), await isFull(6)]).toEqual([true, false, false]);
    await feed.stop();
    await store.close();
  });

  it('wakes who waits at the end, the urgent first', async () => {
    const store = await storeOf(1);
    const feed = new LogFeed(store, () => undefined);
    const { signal } = new AbortController();
    const woken: string[] = [];
    const wait = async (name: string, urgent: boolean) => {
      await feed.next(1, 10, signal, urgent);
      woken.push(name);
    };
    const waits = [wait('view', false), wait('outbox', true)];
    await store.append('thing-ws_1:new', [event(99)], -1);
    await Promise.all(waits);
    expect(woken).toEqual(['outbox', 'view']);
    await feed.stop();
    await store.close();
  });

  it('holds up nobody who is far ahead of the one that it began with', async () => {
    const store = await storeOf(50);
    let readOn: () => void = () => undefined;
    const slow = Object.assign(Object.create(store) as MemoryEventStore, {
      async *follow(options: Parameters<MemoryEventStore['follow']>[0]) {
        await new Promise<void>((go) => (readOn = go));
        yield* store.follow(options);
      },
    });
    const feed = new LogFeed(slow, () => undefined);
    const behind = consume(feed, 0, 51, 10);
    expect(await consume(feed, 49, 1, 10)).toEqual([50]);
    const ahead = consume(feed, 50, 1, 10);
    await store.append('thing-ws_1:new', [event(99)], -1);
    readOn();
    expect([await ahead, await behind]).toEqual([[51], upTo(0, 51)]);
    await feed.stop();
    await store.close();
  });

  it('misses nothing that comes, and is read, while somebody who is ahead of it asks', async () => {
    const store = await storeOf(3);
    const slow = Object.assign(Object.create(store) as MemoryEventStore, {
      readAll: async (options: Parameters<MemoryEventStore['readAll']>[0]) => {
        const batch = await store.readAll(options);
        if (batch.events.length > 0) return batch;
        await store.append('thing-ws_1:new', [event(99)], -1);
        await eventually(() => expect(feed.head).toBe(4));
        return batch;
      },
    });
    const feed = new LogFeed(slow, () => undefined);
    const behind = consume(feed, 0, 4, 10);
    expect([await consume(feed, 3, 1, 10), await behind]).toEqual([[4], upTo(0, 4)]);
    await feed.stop();
    await store.close();
  });

  it('goes by what it has read where nothing was in it, as where an engine keeps events of its own', async () => {
    const store = await storeOf(1);
    const [only] = (await store.readAll({ after: 0, limit: 1 })).events;
    const gapped = Object.assign(Object.create(store) as MemoryEventStore, {
      async *follow({ signal }: { signal: AbortSignal }) {
        yield { events: [only!], position: 7 };
        if (!signal.aborted) await new Promise((stopped) => signal.addEventListener('abort', stopped));
      },
    });
    const feed = new LogFeed(gapped, () => undefined);
    const { signal } = new AbortController();
    expect(await feed.next(0, 10, signal)).toEqual({ events: [only], position: 7, isFull: false });
    const waiting = feed.next(7, 10, signal);
    await feed.stop();
    expect(await waiting).toBeUndefined();
    await store.close();
  });

  it('reads the log no faster than it is taken', async () => {
    const store = await storeOf(1);
    const { events } = await store.readAll({ after: 0, limit: 1 });
    let reads = 0;
    const endless = Object.assign(Object.create(store) as MemoryEventStore, {
      async *follow({ signal }: { signal: AbortSignal }) {
        while (!signal.aborted) {
          reads++;
          yield { events, position: reads };
          await new Promise(setImmediate);
        }
      },
    });
    const feed = new LogFeed(endless, () => undefined);
    await feed.next(0, 10, new AbortController().signal);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(reads).toBe(1);
    await feed.stop();
    await store.close();
  });

  it('lets go of who waits when it is stopped', async () => {
    const store = await storeOf(1);
    const feed = new LogFeed(store, () => undefined);
    const waiting = feed.next(1, 10, new AbortController().signal);
    await feed.stop();
    expect(await waiting).toBeUndefined();
    await store.close();
  });

  it('lets go of who waits when it is told to', async () => {
    const store = await storeOf(1);
    const feed = new LogFeed(store, () => undefined);
    const stop = new AbortController();
    const waiting = feed.next(1, 10, stop.signal);
    stop.abort();
    expect(await waiting).toBeUndefined();
    await feed.stop();
    await store.close();
  });
});
