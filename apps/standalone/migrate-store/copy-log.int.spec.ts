import { randomUUID } from 'node:crypto';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { EventStoreDbDouble } from '#event-store/eventstoredb/double/eventstoredb-double';
import { EventStoreDbEventStore } from '#event-store/eventstoredb/eventstoredb-event-store';
import { PostgresEventStore } from '#event-store/postgres/postgres-event-store';
import type { EventStore, NewEvent, RecordedEvent } from '#event-store';
import { testDatabase, type TestDatabase } from '#testing';
import { firstDifference, summarise } from './compare-logs';
import { copyLog } from './copy-log';
import { pages, StoppedError } from './walk';

const STREAMS = 40;
const EVENTS = 1_500;

const event = (n: number, id: string = randomUUID()): NewEvent => ({
  id,
  type: n % 3 ? 'Counted' : 'Begun',
  data: { n, text: `Ω "quoted"\n\\ ${n}`, nested: { z: [n, null, 1.5], a: true } },
  metadata: {
    workspace: `ws_${n % 4}`,
    actor: 'usr_1',
    correlationId: `c-${n}`,
    causationId: n % 2 ? randomUUID() : null,
    commandId: `k-${n}`,
    ...(n % 5 === 0 && { traceparent: '00-1-2-01' }),
    schemaVersion: 1 + (n % 2),
    occurredAt: new Date(1_700_000_000_000 + n).toISOString(),
  },
});

/** A log of streams that grow among each other. */
async function history(events = EVENTS): Promise<EventStore> {
  const store = new MemoryEventStore();
  const next = new Map<string, number>();
  for (let n = 0; n < events; n++) {
    const stream = `thing-ws_${n % 4}:${(n * 7 + (n % 11)) % STREAMS}`;
    const { revision } = await store.append(stream, [event(n)], next.get(stream) ?? -1);
    next.set(stream, revision);
  }
  return store;
}

const all = async (store: EventStore): Promise<RecordedEvent[]> => {
  const events: RecordedEvent[] = [];
  for await (const page of pages(store)) events.push(...page);
  return events;
};
const withoutPosition = (events: readonly RecordedEvent[]) =>
  events.map((event) => ({ ...event, position: undefined }));
const difference = async (one: EventStore, other: EventStore) =>
  firstDifference(one, other, [await summarise(one), await summarise(other)]);

describe('copying a log', () => {
  let database: TestDatabase;
  let double: EventStoreDbDouble;
  let eventStoreDb: EventStoreDbEventStore;
  beforeAll(async () => {
    [database, double] = await Promise.all([testDatabase(), EventStoreDbDouble.start()]);
    eventStoreDb = new EventStoreDbEventStore(double.url);
  });
  afterAll(async () => {
    await eventStoreDb.close();
    await double.stop();
    await database.drop();
  });

  it('brings neighbours of one stream that are together more than EventStoreDB takes in one append', async () => {
    const node = await EventStoreDbDouble.start();
    const target = new EventStoreDbEventStore(node.url);
    const source = new MemoryEventStore();
    for (let n = 0; n < 5; n++)
      await source.append('thing-ws_1:large', [{ ...event(n), data: { text: 'ö'.repeat(150_000) } }], n - 1);
    await copyLog(source, target, { atOnce: 1 });
    expect(await difference(source, target)).toBeUndefined();
    expect((await summarise(target)).events).toBe(5);
    await target.close();
    await node.stop();
  });

  it('brings every event in the order of the whole log from store to store, with all that is known of it', async () => {
    const source = await history();
    const original = withoutPosition(await all(source));
    const postgres = new PostgresEventStore(database.db);
    expect(await copyLog(source, postgres, { atOnce: 250 })).toMatchObject({ present: 0, copied: EVENTS });
    expect(withoutPosition(await all(postgres))).toEqual(original);
    await copyLog(postgres, eventStoreDb, { atOnce: 1 });
    expect(withoutPosition(await all(eventStoreDb))).toEqual(original);
    const summaries = await Promise.all([source, postgres, eventStoreDb].map((store) => summarise(store)));
    expect(new Set(summaries.map(({ hash }) => hash)).size).toBe(1);
    expect(summaries[2]).toMatchObject({ events: EVENTS });
    expect(await copyLog(eventStoreDb, postgres, { atOnce: 250 })).toMatchObject({ present: EVENTS, copied: 0 });
  });

  it('goes on where it was stopped, and copies what has come since', async () => {
    const [source, target] = [await history(1_200), new MemoryEventStore()];
    const stop = new AbortController();
    const first = await copyLog(source, target, {
      atOnce: 10,
      signal: stop.signal,
      onProgress: ({ copied }) => copied >= 1_000 && stop.abort(),
    });
    expect(first).toMatchObject({ present: 0, copied: 1_000 });
    await source.append('thing-ws_9:new', [event(1_200), event(1_201)], -1);
    expect(await copyLog(source, target, { atOnce: 10 })).toMatchObject({ present: 1_000, copied: 202 });
    expect(await all(target)).toEqual(await all(source));
  });

  it('is stopped also while it looks at what is there, or is compared', async () => {
    const [source, target] = [await history(1_200), new MemoryEventStore()];
    await copyLog(source, target, { atOnce: 10 });
    const stop = new AbortController();
    const seen: number[] = [];
    const isStopped = (work: Promise<unknown>) => expect(work).rejects.toThrow(StoppedError);
    const onCount = (events: number) => (seen.push(events), stop.abort());
    await isStopped(summarise(source, { signal: stop.signal, onCount }));
    await isStopped(copyLog(source, target, { atOnce: 10, signal: stop.signal, onPresent: onCount }));
    expect(seen).toEqual([1_000]);
    await copyLog(source, target, { atOnce: 10, onPresent: onCount });
    expect(seen).toEqual([1_000, 1_000]);
  });

  it('is equal also when the source has gone on meanwhile', async () => {
    const [source, target] = [await history(10), new MemoryEventStore()];
    const { upTo } = await copyLog(source, target, { atOnce: 1 });
    await source.append('thing-ws_0:more', [event(1)], -1);
    const summaries = [await summarise(source, { upTo }), await summarise(target)] as const;
    expect(await firstDifference(source, target, summaries)).toBeUndefined();
    expect(await copyLog(source, target, { atOnce: 1 })).toMatchObject({ present: 10, copied: 1 });
  });

  it('refuses a target that holds anything else, or more', async () => {
    const [source, other] = [await history(10), await history(10)];
    await expect(copyLog(source, other, { atOnce: 1 })).rejects.toThrow(
      /^The target is not a copy of the source: where/,
    );
    const target = new MemoryEventStore();
    await copyLog(source, target, { atOnce: 1 });
    await target.append('thing-ws_0:more', [event(1)], -1);
    await expect(copyLog(source, target, { atOnce: 1 })).rejects.toThrow(
      /^The target holds more than the source: event 0 of thing-ws_0:more/,
    );
    const elsewhere = new MemoryEventStore();
    await elsewhere.append('thing-ws_0:more', [(await all(source))[0]!], -1);
    await expect(copyLog(source, elsewhere, { atOnce: 1 })).rejects.toThrow(/ it has event 0 of thing-ws_0:more /);
  });

  it('names the first difference, whatever it is in', async () => {
    const [id, other] = [randomUUID(), randomUUID()];
    const log = async (...events: NewEvent[]) => {
      const store = new MemoryEventStore();
      await store.append('thing-ws_1:a', events, -1);
      return store;
    };
    const one = await log(event(1, id), event(2, other));
    expect(await difference(one, await log(event(1, id), event(2, other)))).toMatch(/^event 0 .* is not the same/);
    const same = event(5, id);
    const told: Partial<NewEvent['metadata']>[] = [
      ...[{ workspace: 'ws_9' }, { actor: 'usr_2' }, { correlationId: 'x' }, { causationId: null }],
      ...[
        { commandId: 'x' },
        { traceparent: '00-1-3-01' },
        { schemaVersion: 9 },
        { occurredAt: '2026-01-01T00:00:00.000Z' },
      ],
    ];
    const metadata = told.map((change) => ({ metadata: { ...same.metadata, ...change } }));
    for (const change of [{ id: other }, { type: 'Ended' }, { data: {} }, ...metadata])
      expect(await difference(await log(same), await log({ ...same, ...change }))).toBe(
        `event 0 of thing-ws_1:a (${id}) is not the same in the target`,
      );
    expect(await difference(await log(same, event(2, other)), await log(same))).toBe(
      `the source has event 1 of thing-ws_1:a (${other}), the target has not`,
    );
    expect(await difference(await log(same), await log(same))).toBeUndefined();
  });

  it('counts nothing of what the source has gone on with as a difference', async () => {
    const [source, target] = [new MemoryEventStore(), new MemoryEventStore()];
    const [first, foreign] = [event(1), event(2)];
    for (const store of [source, target]) await store.append('thing-ws_1:a', [first], -1);
    const before = await summarise(source);
    await source.append('thing-ws_1:a', [event(3)], 0);
    expect(await firstDifference(source, target, [before, await summarise(target)])).toBeUndefined();
    await target.append('thing-ws_1:a', [foreign], 0);
    expect(await firstDifference(source, target, [before, await summarise(target)])).toBe(
      `the target has event 1 of thing-ws_1:a (${foreign.id}), the source has not`,
    );
  });

  it('tells that the next page cannot be read when it is asked for, and not before', async () => {
    const source = await history(1_000);
    const readAll = source.readAll.bind(source);
    const heard: jest.SpyInstance[] = [];
    const fail = () => {
      const next = Promise.reject(new Error('away'));
      heard.push(jest.spyOn(next, 'catch'));
      return next;
    };
    jest.spyOn(source, 'readAll').mockImplementationOnce(readAll).mockImplementationOnce(fail);
    const walked = pages(source);
    expect((await walked.next()).value).toHaveLength(1_000);
    // A process ends by a failure that nobody hears of.
    expect(heard.map(({ mock }) => mock.calls.length)).toEqual([1]);
    await expect(walked.next()).rejects.toThrow('away');
  });
});
