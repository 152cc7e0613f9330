import { randomBytes } from 'node:crypto';
import { eventually } from '#testing';
import {
  NO_STREAM,
  WrongRevisionError,
  type EventStore,
  type LogPage,
  type NewEvent,
  type RecordedEvent,
} from '../port/event-store';
import { collect, event, expectInOrder } from './support';

export interface OpenStore {
  readonly store: EventStore;
  /** The store as another process would open it, on the same log. */
  reopen?(): Promise<EventStore>;
  close(): Promise<void>;
}

let run = 0;

/** What every event store does. `open` may be called many times; the log may hold events of earlier tests. */
export function eventStoreConformance(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} is an event store: it`, () => {
    let it_: OpenStore;
    let store: EventStore;
    /** Names are new in each run and test: a real engine keeps what earlier runs wrote. */
    let scope: string;
    const stream = (id = 'a') => `thing-ws_1:${scope}-${id}`;
    const made = (label: string, data?: object, workspace?: string) => event(`${scope}/${label}`, data, workspace);
    const ids = (events: readonly NewEvent[]) => events.map(({ id }) => id);

    beforeAll(async () => {
      it_ = await open();
      store = it_.store;
    });
    afterAll(() => it_.close());
    beforeEach(() => (scope = `${process.pid}-${Date.now()}-${run++}`));

    it('gives back what was appended, in full', async () => {
      const first = made('1');
      const second = {
        ...made('2'),
        type: 'OtherHappened',
        metadata: { ...made('2').metadata, causationId: 'cause-1', traceparent: '00-a-b-01' },
      };
      const appended = await store.append(stream(), [first, second], NO_STREAM);
      expect(appended.revision).toBe(1);
      const events = await store.read(stream());
      expect(events).toEqual([
        { ...first, stream: stream(), revision: 0, position: expect.any(Number) },
        { ...second, stream: stream(), revision: 1, position: appended.position },
      ]);
      expect(events[0]!.position).toBeLessThanOrEqual(appended.position);
      expect(await store.read(stream(), 1)).toEqual([events[1]]);
      expect(await store.read(stream(), 2)).toEqual([]);
      expect(await store.read(stream(), 0, 1)).toEqual([events[0]]);
      expect(await store.read(stream(), 1, 5)).toEqual([events[1]]);
    });

    it('reads nothing from a stream that does not exist', async () => {
      expect(await store.read(stream('absent'))).toEqual([]);
    });

    it('refuses to append nothing', async () => {
      await expect(store.append(stream(), [], NO_STREAM)).rejects.toThrow('Nothing to append');
    });

    it('refuses every other revision than the present one, and tells it', async () => {
      await store.append(stream(), [made('1'), made('2')], NO_STREAM);
      for (const expected of [NO_STREAM, 0, 2, 7]) {
        const refused = store.append(stream(), [made(`at ${expected}`)], expected);
        await expect(refused).rejects.toBeInstanceOf(WrongRevisionError);
        await expect(refused).rejects.toMatchObject({ stream: stream(), expected, actual: 1 });
      }
      await expect(store.append(stream('absent'), [made('no')], 0)).rejects.toMatchObject({
        expected: 0,
        actual: NO_STREAM,
      });
      expect(await store.read(stream())).toHaveLength(2);
    });

    it('answers the same append again as it did the first time, also when the stream has gone on', async () => {
      const batch = [made('1'), made('2')];
      const { repeated: neverSaid, ...first } = await store.append(stream(), batch, NO_STREAM);
      expect(neverSaid).not.toBe(true);
      const again = await store.append(stream(), batch, NO_STREAM);
      expect(again).toMatchObject(first);
      expect(again.repeated).not.toBe(false);
      await store.append(stream(), [made('3')], 1);
      expect(await store.append(stream(), batch, NO_STREAM)).toMatchObject(first);
      expect(ids(await store.read(stream()))).toEqual(ids([made('1'), made('2'), made('3')]));
    });

    it('does not take an append for the same when only a part of it stands there', async () => {
      await store.append(stream(), [made('1'), made('2')], NO_STREAM);
      await expect(store.append(stream(), [made('1'), made('other')], NO_STREAM)).rejects.toBeInstanceOf(
        WrongRevisionError,
      );
      await expect(store.append(stream(), [made('1'), made('2'), made('3')], NO_STREAM)).rejects.toBeInstanceOf(
        WrongRevisionError,
      );
      await expect(store.append(stream(), [made('2')], NO_STREAM)).rejects.toBeInstanceOf(WrongRevisionError);
      expect(await store.read(stream())).toHaveLength(2);
    });

    it('lets one of many that want the same revision win', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => store.append(stream(), [made(`${n}`)], NO_STREAM)),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ actual: 0 });
      expect(await store.read(stream())).toHaveLength(1);
    });

    it('answers each of many concurrent appends for itself', async () => {
      await store.append(stream('taken'), [made('taken')], NO_STREAM);
      const answers = await Promise.allSettled([
        store.append(stream('x'), [made('x1'), made('x2')], NO_STREAM),
        store.append(stream('taken'), [made('late')], NO_STREAM),
        store.append(stream('taken'), [made('taken')], NO_STREAM),
        store.append(stream('y'), [made('y1')], NO_STREAM),
      ]);
      expect(
        answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.revision : answer.reason.name)),
      ).toEqual([1, 'WrongRevisionError', 0, 0]);
      for (const [id, labels] of Object.entries({ x: ['x1', 'x2'], y: ['y1'], taken: ['taken'] })) {
        expect(ids(await store.read(stream(id)))).toEqual(ids(labels.map((label) => made(label))));
      }
      for (const [nth, id] of [
        [0, 'x'],
        [2, 'taken'],
        [3, 'y'],
      ] as const) {
        const { position } = (await store.read(stream(id))).at(-1)!;
        expect([id, answers[nth]]).toEqual([id, { status: 'fulfilled', value: expect.objectContaining({ position }) }]);
      }
    });

    it('keeps any JSON: unicode, odd numbers, order of keys, large values', async () => {
      const data = {
        zulu: 'Zoë 🚀 \u2028 "quoted" \\ back {brace} NULL',
        alpha: [1e21, -0.1, 0, 9007199254740991, null, true, [], {}],
        nul: 'a\u0000b',
        '': 'empty key',
        'a "key"': 1,
        text: 'ä'.repeat(200_000),
      };
      await store.append(stream('ünï "q" \\ {}'), [made('1', data)], NO_STREAM);
      const [recorded] = await store.read(stream('ünï "q" \\ {}'));
      expect(recorded!.data).toEqual(data);
      expect(Object.keys(recorded!.data)).toEqual(Object.keys(data));
    });

    it('takes an append of many events whole', async () => {
      const many = Array.from({ length: 1_200 }, (_, n) => made(`${n}`));
      const { revision } = await store.append(stream(), many, NO_STREAM);
      expect(revision).toBe(1_199);
      expect(ids(await store.read(stream()))).toEqual(ids(many));
    });

    it('has a head that counts every append that was answered', async () => {
      const { position } = await store.append(stream(), [made('1')], NO_STREAM);
      expect(await store.head()).toBeGreaterThanOrEqual(position);
    });

    it('reads the whole log in pages, in order, nothing twice', async () => {
      const after = await store.head();
      await Promise.all(
        Array.from({ length: 30 }, (_, n) => store.append(stream(`${n}`), [made(`${n}.0`), made(`${n}.1`)], NO_STREAM)),
      );
      for (const limit of [1, 7, 60, 1_000]) {
        const events: RecordedEvent[] = [];
        for (let position = after; ;) {
          const page = await store.readAll({ after: position, limit });
          expect(page.events.length).toBeLessThanOrEqual(limit);
          expect(page.position).toBeGreaterThanOrEqual(page.events.at(-1)?.position ?? position);
          events.push(...page.events);
          position = page.position;
          if (!page.isFull) break;
        }
        expect(events).toHaveLength(60);
        expectInOrder(events);
        expect(new Set(ids(events)).size).toBe(60);
      }
    });

    it('reads pages no larger than they may be, whatever their events are, nothing twice', async () => {
      const after = await store.head();
      const mine = `ws_${scope}`;
      const text = randomBytes(100_000).toString('hex');
      // The last one alone is larger than what is asked for below.
      const texts = [...Array<string>(44).fill(text), text + text];
      const large = texts.map((each, n) => made(`${n}`, { text: each }, n % 5 ? mine : 'ws_other'));
      for (const [n, one] of large.entries())
        await store.append(stream(`${n % 3}`), [one], n < 3 ? NO_STREAM : Math.floor(n / 3) - 1);
      const pagesOf = async (options: { size?: number; workspace?: string }) => {
        const pages: LogPage[] = [];
        do pages.push(await store.readAll({ after: pages.at(-1)?.position ?? after, limit: 1_000, ...options }));
        while (pages.at(-1)!.isFull);
        return pages;
      };
      for (const [size, most] of [
        [undefined, 41],
        [700_000, 4],
        [1, 1],
      ] as const) {
        const pages = await pagesOf({ ...(size !== undefined && { size }) });
        expect(pages.flatMap(({ events }) => ids(events))).toEqual(ids(large));
        expect(Math.max(...pages.map(({ events }) => events.length))).toBeLessThanOrEqual(most);
        expect(pages.length).toBeGreaterThan(1);
        for (const { events, position, isFull } of pages)
          if (isFull) expect([events.length > 0, position]).toEqual([true, events.at(-1)!.position]);
      }
      const own = (await pagesOf({ size: 700_000, workspace: mine })).map(({ events }) => events);
      expect(own.flatMap(ids)).toEqual(ids(large.filter(({ metadata }) => metadata.workspace === mine)));
      expect(Math.max(...own.map(({ length }) => length))).toBeLessThanOrEqual(4);
      // Of small ones, none behind it makes a page full but their number.
      await store.append(stream('small'), [made('small 1'), made('small 2')], NO_STREAM);
      const last = own.findLast(({ length }) => length > 0)!.at(-1)!.position;
      expect((await store.readAll({ after: last, limit: 3 })).isFull).toBe(false);
      expect((await store.readAll({ after: last, limit: 1 })).isFull).toBe(true);
      const control = new AbortController();
      const followers = [store, (await it_.reopen?.()) ?? store].map((each) =>
        collect(each.follow({ after, maxBatch: 1_000, signal: control.signal })),
      );
      await eventually(() =>
        followers.forEach(({ events }) => expect(ids(events).slice(0, large.length)).toEqual(ids(large))),
      );
      for (const { batches } of followers)
        expect(Math.max(...batches.map(({ events }) => events.length))).toBeLessThanOrEqual(43);
      control.abort();
      await Promise.all(followers.map(({ done }) => done));
    });

    it('reads no further than it is told', async () => {
      const after = await store.head();
      const appended = [];
      for (let n = 0; n < 5; n++) appended.push(await store.append(stream(), [made(`${n}`)], n - 1));
      const { events, position } = await store.readAll({ after, limit: 100, upTo: appended[2]!.position });
      expect(ids(events)).toEqual(ids([made('0'), made('1'), made('2')]));
      expect(position).toBe(appended[2]!.position);
      expect((await store.readAll({ after: appended[4]!.position, limit: 10 })).events).toEqual([]);
    });

    it('reads from an event on, itself included', async () => {
      const appended = [];
      for (let n = 0; n < 4; n++) appended.push(await store.append(stream(), [made(`${n}`)], n - 1));
      const [, second, third, last] = appended.map(({ position }) => position);
      const from = { after: second!, inclusive: true };
      expect(ids((await store.readAll({ ...from, limit: 2 })).events)).toEqual(ids([made('1'), made('2')]));
      expect(ids((await store.readAll({ ...from, limit: 1, upTo: second! })).events)).toEqual(ids([made('1')]));
      const others = { ...from, limit: 1, upTo: second!, workspace: 'ws_nobody' };
      expect((await store.readAll(others)).events).toEqual([]);
      const own = await store.readAll({ after: third!, inclusive: true, limit: 10, workspace: 'ws_nobody' });
      expect(own.events).toEqual([]);
      expect(own.position).toBeGreaterThanOrEqual(last!);
    });

    it("reads one workspace's events and passes those of others", async () => {
      const after = await store.head();
      const mine = `ws_${scope}`;
      for (let n = 0; n < 6; n++)
        await store.append(stream(`${n}`), [made(`${n}`, {}, n % 2 ? mine : 'ws_other')], NO_STREAM);
      const first = await store.readAll({ after, limit: 2, workspace: mine });
      expect(ids(first.events)).toEqual(ids([made('1'), made('3')]));
      expect(first.position).toBe(first.events[1]!.position);
      const rest = await store.readAll({ after: first.position, limit: 2, workspace: mine });
      expect(ids(rest.events)).toEqual(ids([made('5')]));
      expect((await store.readAll({ after: rest.position, limit: 2, workspace: mine })).events).toEqual([]);
      const none = await store.readAll({ after, limit: 10, workspace: 'ws_nobody' });
      expect(none.events).toEqual([]);
      expect(none.position).toBeGreaterThanOrEqual(rest.events[0]!.position);
    });

    it('lets followers from any position see each event once, in order, while writers write', async () => {
      const start = await store.head();
      const known: RecordedEvent[] = [];
      const control = new AbortController();
      const appendSome = async (round: number) => {
        await Promise.all(
          Array.from({ length: 10 }, (_, n) => store.append(stream(`${n}`), [made(`${round}.${n}`)], round - 1)),
        );
      };
      for (let round = 0; round < 3; round++) await appendSome(round);
      known.push(...(await store.readAll({ after: start, limit: 1_000 })).events);
      const froms = [start, known[7]!.position, known[19]!.position, known[29]!.position];
      const followers = froms.map((after, n) =>
        collect(store.follow({ after, maxBatch: [1, 4, 500, 10][n]!, signal: control.signal })),
      );
      const elsewhere = it_.reopen && (await it_.reopen());
      if (elsewhere) followers.push(collect(elsewhere.follow({ after: start, maxBatch: 100, signal: control.signal })));
      for (let round = 3; round < 10; round++) await appendSome(round);
      const all = (await store.readAll({ after: start, limit: 1_000 })).events;
      expect(all).toHaveLength(100);
      await eventually(() => {
        froms.forEach((after, n) =>
          expect(followers[n]!.events).toEqual(all.filter(({ position }) => position > after)),
        );
        if (elsewhere) expect(followers[4]!.events).toEqual(all);
      });
      control.abort();
      await Promise.all(followers.map(({ done }) => done));
      followers.forEach(({ batches }, n) =>
        batches.forEach(({ events }) => expect(events.length).toBeLessThanOrEqual([1, 4, 500, 10, 100][n]!)),
      );
      for (const { batches } of followers)
        for (const { events, position } of batches)
          expect(position).toBeGreaterThanOrEqual(events.at(-1)?.position ?? 0);
      await elsewhere?.close();
    });

    it('tells a follower of an append at once, not at the next poll', async () => {
      const control = new AbortController();
      const { events, done } = collect(
        store.follow({ after: await store.head(), maxBatch: 10, signal: control.signal }),
      );
      const waits: number[] = [];
      for (let n = 0; n < 10; n++) {
        await store.append(stream(), [made(`${n}`)], n - 1);
        const begun = performance.now();
        await eventually(() => expect(events.length).toBe(n + 1), { every: 1 });
        waits.push(performance.now() - begun);
      }
      // A follower that polls would need a second for each; one lost wake-up of ten is not what this is about.
      expect(waits.sort((a, b) => a - b)[4]).toBeLessThan(500);
      control.abort();
      await done;
    });

    it('ends a follower at once when it is told to, also one that waits', async () => {
      const after = await store.head();
      const already = new AbortController();
      already.abort();
      const none = collect(store.follow({ after: 0, maxBatch: 10, signal: already.signal }));
      await none.done;
      expect(none.events).toEqual([]);
      await store.append(stream(), [made('1')], NO_STREAM);
      const took: number[] = [];
      for (let n = 0; n < 3; n++) {
        const control = new AbortController();
        const waiting = collect(store.follow({ after, maxBatch: 10, signal: control.signal }));
        await eventually(() => expect(waiting.events).toHaveLength(1));
        const begun = performance.now();
        control.abort();
        await waiting.done;
        took.push(performance.now() - begun);
      }
      // At its next poll it would end after a second each time; how long a busy machine takes for once is not what this is about.
      expect(Math.min(...took)).toBeLessThan(500);
    });

    it('ends its followers when it is closed', async () => {
      if (!it_.reopen) return;
      const other = await it_.reopen();
      const { done } = collect(
        other.follow({ after: await other.head(), maxBatch: 10, signal: new AbortController().signal }),
      );
      await other.close();
      await done;
    });

    it('says which engine it is', async () => {
      expect(await store.check()).toEqual({
        engine: expect.stringMatching(/\w/),
        version: expect.stringMatching(/\d/),
      });
    });
  });
}
