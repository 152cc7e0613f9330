import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { eventually } from '#testing';
import type { LogBatch, LogPage, RecordedEvent } from './event-store';
import { followLoop, type LogReader } from './follow-loop';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const batchAt = (position: number): LogPage => ({ events: [{ position } as RecordedEvent], position, isFull: true });

describe('a follower of the log', () => {
  it('keeps nothing of what it has handed over, however long it follows', async () => {
    const stopping = new AbortController();
    const seen: WeakRef<LogBatch>[] = [];
    const log: LogReader = {
      readAll: async ({ after }) => batchAt(after + 1),
      onAppend: () => () => undefined,
    };
    for await (const batch of followLoop(log, { after: 0, maxBatch: 1, signal: stopping.signal })) {
      seen.push(new WeakRef(batch));
      // A turn of the event loop: what a turn has touched is not collected before it ends.
      await new Promise((turn) => setImmediate(turn));
      if (batch.position === 100) collect();
      if (batch.position === 110) break;
    }
    expect(seen.slice(0, 90).filter((batch) => batch.deref() !== undefined)).toEqual([]);
  });

  it('ends when it is told to while a read is under way that never answers', async () => {
    const stopping = new AbortController();
    let asked = false;
    const log: LogReader = {
      readAll: () => ((asked = true), new Promise<LogPage>(() => undefined)),
      onAppend: () => () => undefined,
    };
    const following = (async () => {
      for await (const _ of followLoop(log, { after: 0, maxBatch: 1, signal: stopping.signal }));
    })();
    await eventually(() => asked);
    stopping.abort();
    await following;
  });

  it('rests when it has read what there is, also after it was woken', async () => {
    const stopping = new AbortController();
    const turn = () => new Promise((next) => setImmediate(next));
    let wake = (): void => undefined;
    let reads = 0;
    const log: LogReader = {
      readAll: async ({ after }) => {
        await turn();
        reads++;
        return { events: [], position: after, isFull: false };
      },
      onAppend: (hear) => {
        wake = hear;
        return () => undefined;
      },
    };
    const following = (async () => {
      for await (const _ of followLoop(log, { after: 0, maxBatch: 1, signal: stopping.signal }));
    })();
    await eventually(() => reads === 1);
    wake();
    for (let turns = 0; turns < 100; turns++) await turn();
    // Once when it was woken; and should a second have gone by, at its poll.
    expect([2, 3]).toContain(reads);
    stopping.abort();
    await following;
  });

  it('leaves nothing behind when it has ended', async () => {
    const stopping = new AbortController();
    const hearers = new Set<() => void>();
    const log: LogReader = {
      readAll: async ({ after }) => batchAt(after + 1),
      onAppend: (wake) => {
        hearers.add(wake);
        return () => void hearers.delete(wake);
      },
    };
    for await (const { position } of followLoop(log, { after: 0, maxBatch: 1, signal: stopping.signal }))
      if (position === 3) break;
    expect(hearers.size).toBe(0);
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([]);
  });

  it('reads again at once when something was appended while it read', async () => {
    let wake = (): void => undefined;
    let appended = false;
    const log: LogReader = {
      readAll: async ({ after }) => {
        if (appended) return batchAt(after + 1);
        appended = true;
        wake();
        return { events: [], position: after, isFull: false };
      },
      onAppend: (hear) => {
        wake = hear;
        return () => undefined;
      },
    };
    const begun = performance.now();
    for await (const _ of followLoop(log, { after: 0, maxBatch: 10, signal: new AbortController().signal })) break;
    // Its next poll would be after a second.
    expect(performance.now() - begun).toBeLessThan(800);
  });
});
