import * as fc from 'fast-check';
import type { NewEvent } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { eventIdOf } from '#kernel';
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
const event = (n: number): NewEvent => ({ id: eventIdOf('feed', n), type: 'Counted', data: { n }, metadata });

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
        fc.integer({ min: 1, max: 30 }),
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
