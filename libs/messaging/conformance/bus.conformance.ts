import { randomBytes } from 'node:crypto';
import { eventually } from '#testing';
import {
  PoisonMessageError,
  type Bus,
  type ReceivedMessage,
  type SubscribeOptions,
  type Subscription,
} from '../port/bus';
import { Ledger, numbered, roundRobin } from './ledger';

/** One engine and the processes that use it, as a suite sees them. */
export interface BusLab {
  /** A bus of its own connections, as another process would have it. */
  open(): Promise<Bus>;
  /** Takes a bus from the engine without a goodbye, for ever, as SIGKILL would. */
  kill(bus: Bus): void;
  /** Breaks every connection to the engine; new ones pass. */
  cut?(): void;
  close(): Promise<void>;
}

const KEYS = Array.from({ length: 40 }, (_, i) => `pst_${i}`);

/** What every bus must do. `within` (ms) is how long a takeover may last on this engine. */
export function busConformance(name: string, start: () => Promise<BusLab>, { within = 30_000 } = {}): void {
  describe(`${name} as a bus`, () => {
    let lab: BusLab;
    let bus: Bus;
    let topic: string;
    let group: string;
    const buses: Bus[] = [];
    const another = async (): Promise<Bus> => {
      const opened = await lab.open();
      buses.push(opened);
      return opened;
    };
    const consume = (
      on: Bus,
      onBatch: SubscribeOptions['onBatch'],
      more: Partial<SubscribeOptions> = {},
    ): Promise<Subscription> => on.subscribe({ group, topics: [topic], onBatch, ...more });

    beforeAll(async () => {
      lab = await start();
    });
    beforeEach(async () => {
      topic = `test.${randomBytes(6).toString('hex')}.v1`;
      group = `group-${randomBytes(6).toString('hex')}`;
      bus = await another();
      await bus.ensureTopics([topic]);
    });
    afterEach(async () => {
      await Promise.all(buses.splice(0).map((opened) => opened.close()));
    });
    afterAll(() => lab?.close());

    it('says which engine it stands on', async () => {
      expect(await bus.check()).toEqual({ engine: expect.any(String), version: expect.any(String) });
    });

    it('hands over every byte as it was published', async () => {
      const received: ReceivedMessage[] = [];
      await consume(bus, async (messages) => void received.push(...messages));
      const sent = {
        ...numbered(topic, 'pst_Ω-العربية-😀', 1),
        value: '{ "b":1,"a":"\\u0000 \\ud83d\\ude00 😀 שלום ﷽ \\\\ \\" \u2028","n":1.50 }',
      };
      const headers = { ...sent.headers, 'postledger-empty': '', 'postledger-text': 'ünï "quoted" \\ 😀' };
      await bus.publish([{ ...sent, headers }]);
      await eventually(() => expect(received).toHaveLength(1), { within });
      expect(received[0]).toEqual({ ...sent, headers, partition: expect.any(Number), offset: expect.any(Number) });
    });

    it('takes keys of any characters, several in one batch', async () => {
      const keys = ['\x1f', 'a\x1fb', 'a\nb', ' ', '{"a":1}'];
      const ledger = new Ledger();
      await consume(bus, ledger.handle);
      await bus.publish(keys.map((key) => numbered(topic, key, 1)));
      await eventually(() => expect(ledger.ids.toSorted()).toEqual(keys.map((key) => `evt_${key}_1`).toSorted()), {
        within,
      });
    });

    it('keeps the order of each key through many batches and several publishers', async () => {
      const ledger = new Ledger();
      await consume(bus, ledger.handle, { maxBatch: 50 });
      const keysOf = (publisher: number) => KEYS.filter((_, i) => i % 4 === publisher);
      const published = await Promise.all(
        [0, 1, 2, 3].map(async (publisher) => {
          const messages = roundRobin(topic, keysOf(publisher), 500);
          const own = await another();
          for (let i = 0; i < messages.length; i += 20) await own.publish(messages.slice(i, i + 20));
          return messages;
        }),
      );
      await eventually(() => expect(ledger.missing(published.flat())).toEqual([]), { within });
      expect(ledger.disorder()).toEqual([]);
      expect(ledger.duplicates).toBe(0);
    });

    it('keeps the order of calls that do not wait for each other', async () => {
      const ledger = new Ledger();
      await consume(bus, ledger.handle);
      await Promise.all(Array.from({ length: 60 }, (_, i) => bus.publish([numbered(topic, 'pst_1', i + 1)])));
      await eventually(() => expect(ledger.distinct).toBe(60), { within });
      expect(ledger.disorder()).toEqual([]);
    });

    it('hands over offsets that grow within a partition, and one key always in one partition', async () => {
      const received: ReceivedMessage[] = [];
      await consume(bus, async (messages) => void received.push(...messages));
      await bus.publish(roundRobin(topic, KEYS, 400));
      await eventually(() => expect(received).toHaveLength(400), { within });
      const offsets = new Map<number, number>();
      const partitions = new Map<string, number>();
      for (const { partition, offset, key } of received) {
        expect(offset).toBeGreaterThan(offsets.get(partition) ?? -1);
        offsets.set(partition, offset);
        expect(partitions.get(key) ?? partition).toBe(partition);
        partitions.set(key, partition);
      }
      expect(offsets.size).toBeGreaterThan(6);
    });

    it('gives each group everything and each of its members a share', async () => {
      const [first, second, alone] = [new Ledger(), new Ledger(), new Ledger()];
      const other = await another();
      await consume(bus, first.handle);
      await consume(other, second.handle);
      await consume(other, alone.handle, { group: `${group}-alone` });
      const published = roundRobin(topic, KEYS, 800);
      // Sharing settles in its own time, so go on publishing until both have had something.
      let rounds = 0;
      await eventually(
        async () => {
          await bus.publish(
            roundRobin(
              topic,
              KEYS.map((key) => `${key}-${rounds}`),
              80,
            ),
          );
          rounds++;
          expect(first.ids.length > 0 && second.ids.length > 0).toBe(true);
        },
        { within, every: 100 },
      );
      const [before, after] = [first.ids.length, second.ids.length];
      await bus.publish(published);
      const both = () => new Set([...first.ids, ...second.ids]);
      await eventually(() => expect(published.every(({ id }) => both().has(id))).toBe(true), { within });
      await eventually(() => expect(alone.missing(published)).toEqual([]), { within });
      expect(first.ids.length).toBeGreaterThan(before);
      expect(second.ids.length).toBeGreaterThan(after);
      expect(
        first.ids.filter((id) => second.ids.includes(id) && published.some((message) => message.id === id)),
      ).toEqual([]);
      expect(
        [...first.disorder(), ...second.disorder()].filter((id) => published.some((message) => message.id === id)),
      ).toEqual([]);
      expect(alone.disorder()).toEqual([]);
    });

    it('hands a refused batch over again until it is acknowledged, and nothing of the same keys before', async () => {
      const ledger = new Ledger();
      const faults: string[] = [];
      let refusals = 3;
      await consume(
        bus,
        async (messages) => {
          if (refusals-- > 0) throw new TypeError('not now');
          await ledger.handle(messages);
        },
        { onFault: ({ message }) => faults.push(message) },
      );
      const published = roundRobin(topic, KEYS.slice(0, 2), 20);
      await bus.publish(published.slice(0, 10));
      await bus.publish(published.slice(10));
      await eventually(() => expect(ledger.missing(published)).toEqual([]), { within });
      expect(ledger.disorder()).toEqual([]);
      expect(ledger.duplicates).toBe(0);
      expect(faults.filter((fault) => fault.includes('not now'))).toHaveLength(3);
    });

    it('parks a poison message with its reason and goes on with the rest, in order', async () => {
      const ledger = new Ledger();
      const parked: string[] = [];
      await consume(
        bus,
        async (messages) => {
          const poison = messages.find(({ id }) => id === 'evt_pst_0_3');
          if (poison) throw new PoisonMessageError(poison, 'its data are no JSON');
          await ledger.handle(messages);
        },
        { onParked: ({ id }, reason) => parked.push(`${id}: ${reason}`) },
      );
      const published = roundRobin(topic, KEYS.slice(0, 4), 40);
      await bus.publish(published);
      await eventually(() => expect(ledger.missing(published)).toEqual(['evt_pst_0_3']), { within });
      expect(parked).toEqual(['evt_pst_0_3: its data are no JSON']);
      expect(ledger.disorder()).toEqual(['evt_pst_0_4']);
    });

    it('begins a new group at the first message, or at the next when asked', async () => {
      await bus.publish(roundRobin(topic, KEYS, 80));
      const [all, news] = [new Ledger(), new Ledger()];
      await consume(bus, all.handle);
      await consume(bus, news.handle, { group: `${group}-late`, from: 'latest' });
      await eventually(() => expect(all.distinct).toBe(80), { within });
      let n = 0;
      await eventually(
        async () => {
          await bus.publish([numbered(topic, 'new', ++n)]);
          expect(news.ids.length).toBeGreaterThan(0);
        },
        { within, every: 50 },
      );
      expect(news.ids.filter((id) => !id.startsWith('evt_new_'))).toEqual([]);
    });

    it('takes up where its group left off, `latest` or not', async () => {
      const before = new Ledger();
      const first = await consume(bus, before.handle);
      await bus.publish(roundRobin(topic, KEYS, 80));
      await eventually(() => expect(before.distinct).toBe(80), { within });
      await first.close();
      await bus.publish([numbered(topic, 'between', 1)]);
      const after = new Ledger();
      await consume(bus, after.handle, { from: 'latest' });
      await eventually(() => expect(after.ids).toContain('evt_between_1'), { within });
      expect(after.ids).toEqual(['evt_between_1']);
    });

    it('waits for the batch in hand when it closes, tells it to hurry, and never hands it over again', async () => {
      const [started, finished] = [new Ledger(), new Ledger()];
      const closing = await consume(bus, async (messages, signal) => {
        await started.handle(messages);
        await new Promise<void>((aborted) => signal.addEventListener('abort', () => aborted()));
        await finished.handle(messages);
      });
      await bus.publish([numbered(topic, 'pst_1', 1)]);
      await eventually(() => expect(started.ids).toHaveLength(1), { within });
      await closing.close();
      expect(finished.ids).toEqual(['evt_pst_1_1']);
      const next = new Ledger();
      await consume(bus, next.handle);
      await bus.publish([numbered(topic, 'pst_1', 2)]);
      await eventually(() => expect(next.ids).toContain('evt_pst_1_2'), { within });
      expect(next.ids).toEqual(['evt_pst_1_2']);
    });

    it('is closed when all that reads on it is, also what somebody closes already', async () => {
      const started = new Ledger();
      let end: () => void = () => undefined;
      const ending = new Promise<void>((done) => (end = done));
      const closing = await consume(bus, async (messages) => {
        await started.handle(messages);
        await ending;
      });
      await bus.publish([numbered(topic, 'pst_1', 1)]);
      await eventually(() => expect(started.ids).toHaveLength(1), { within });
      const closed: string[] = [];
      const both = [closing.close().then(() => closed.push('what reads')), bus.close().then(() => closed.push('bus'))];
      await new Promise(setImmediate);
      expect(closed).toEqual([]);
      end();
      await Promise.all(both);
      expect(closed).toEqual(['what reads', 'bus']);
    });

    it('is closed when all that was published by it is there', async () => {
      let isThere = false;
      const published = bus.publish([numbered(topic, 'pst_1', 1)]).then(() => (isThere = true));
      await bus.close();
      expect(isThere).toBe(true);
      await published;
    });

    it('tells how many messages wait for a group', async () => {
      let isOpen = false;
      const ledger = new Ledger();
      const subscription = await consume(bus, async (messages) => {
        if (!isOpen) throw new Error('closed');
        await ledger.handle(messages);
      });
      await bus.publish(roundRobin(topic, KEYS, 200));
      await eventually(async () => expect(await subscription.lag()).toBe(200), { within });
      isOpen = true;
      await eventually(async () => expect(await subscription.lag()).toBe(0), { within });
      expect(ledger.distinct).toBe(200);
    });

    it('passes a big backlog', async () => {
      const filler = 'x'.repeat(900);
      const keys = Array.from({ length: 100 }, (_, i) => `key_${i}`);
      const published = keys.flatMap((key) =>
        Array.from({ length: 50 }, (_, n) => numbered(topic, key, n + 1, { filler })),
      );
      for (let i = 0; i < published.length; i += 1_000) await bus.publish(published.slice(i, i + 1_000));
      const ledger = new Ledger();
      let largest = 0;
      await consume(bus, async (messages) => {
        largest = Math.max(largest, messages.length);
        await ledger.handle(messages);
      });
      await eventually(() => expect(ledger.missing(published)).toEqual([]), { within });
      expect(ledger.disorder()).toEqual([]);
      expect(largest).toBeLessThanOrEqual(500);
    });

    it('hands over no more at once than may be in memory, however large messages are', async () => {
      const filler = randomBytes(200_000).toString('hex');
      const published = KEYS.map((key) => numbered(topic, key, 1, { n: 1, filler }));
      await bus.publish(published);
      const ledger = new Ledger();
      const sizes: number[] = [];
      await consume(bus, async (messages) => {
        sizes.push(messages.reduce((sum, { value }) => sum + value.length, 0));
        await ledger.handle(messages);
      });
      await eventually(() => expect(ledger.missing(published)).toEqual([]), { within });
      expect(ledger.disorder()).toEqual([]);
      expect(Math.max(...sizes)).toBeLessThan(8_500_000);
    });

    it('loses nothing and keeps order while members come and go', async () => {
      const ledger = new Ledger();
      const busy = new Set<string>();
      const overlaps: string[] = [];
      const slowly: SubscribeOptions['onBatch'] = async (messages) => {
        const keys = new Set(messages.map(({ key }) => key));
        for (const key of keys) busy.has(key) ? overlaps.push(key) : busy.add(key);
        await new Promise((again) => setTimeout(again, 5));
        await ledger.handle(messages);
        for (const key of keys) busy.delete(key);
      };
      const published = roundRobin(topic, KEYS, 2_000);
      const publishing = (async () => {
        for (let i = 0; i < published.length; i += 20) await bus.publish(published.slice(i, i + 20));
      })();
      const stays = await consume(bus, slowly, { maxBatch: 20 });
      for (let i = 0; i < 3; i++) {
        const guest = await consume(await another(), slowly, { maxBatch: 20 });
        const before = ledger.ids.length;
        await eventually(() => expect(ledger.ids.length >= Math.min(before + 200, published.length)).toBe(true), {
          within,
        });
        await guest.close();
      }
      await publishing;
      await eventually(() => expect(ledger.missing(published)).toEqual([]), { within });
      expect(ledger.disorder()).toEqual([]);
      expect(overlaps).toEqual([]);
      await stays.close();
    });

    it('hands the partitions of a killed member to another, with what it had in hand', async () => {
      const doomedBus = await another();
      const [doomed, heir] = [new Ledger(), new Ledger()];
      await consume(
        doomedBus,
        async (messages, signal) => {
          await doomed.handle(messages);
          await new Promise<void>((aborted) => signal.addEventListener('abort', () => aborted()));
        },
        { onFault: () => undefined },
      );
      const published = roundRobin(topic, KEYS, 400);
      await bus.publish(published.slice(0, 200));
      await eventually(() => expect(doomed.ids.length).toBeGreaterThan(0), { within });
      lab.kill(doomedBus);
      buses.splice(buses.indexOf(doomedBus), 1);
      await consume(bus, heir.handle);
      await bus.publish(published.slice(200));
      await eventually(() => expect(heir.missing(published)).toEqual([]), { within: within * 2 });
      expect(heir.disorder()).toEqual([]);
    });

    it('goes on by itself after its connections were cut', async () => {
      if (!lab.cut) return expect(name).toBe('MemoryBus');
      const ledger = new Ledger();
      await consume(bus, ledger.handle, { maxBatch: 10 });
      const published = roundRobin(topic, KEYS, 400);
      for (let i = 0; i < published.length; i += 40) {
        await untilPublished(bus, published.slice(i, i + 40));
        if (i % 120 === 0) lab.cut();
      }
      await eventually(() => expect(ledger.missing(published)).toEqual([]), { within: within * 2 });
      expect(ledger.disorder()).toEqual([]);
    });
  });
}

/** Publishing rejects while the engine is away; the caller tries again. */
async function untilPublished(bus: Bus, messages: Parameters<Bus['publish']>[0]): Promise<void> {
  await eventually(() => bus.publish(messages), { within: 60_000, every: 20 });
}
