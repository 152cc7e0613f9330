import { ownReadings, testDatabase, type TestDatabase } from '#testing';
import { roundRobin } from '../conformance/ledger';
import { PARTITIONS, writeOutbox } from '../outbox/outbox';
import { BEGINNING, fetchNext, takeRecent, WINDOW } from './fetch';
import type { Claim } from './group-member';
import { RecentMessages } from './recent-messages';

const TOPIC = 'test.v1';
const KEYS = Array.from({ length: 40 }, (_, i) => `pst_${i}`);
const LIMIT = 100;

/** Of all partitions, each at its place. */
const claimsAt = (cursorOf: (partition: number) => number) =>
  new Map(
    Array.from({ length: PARTITIONS }, (_, partition) => [
      partition,
      { partition, cursor: cursorOf(partition) } as Claim,
    ]),
  );

describe('a look at the bus on PostgreSQL', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await testDatabase();
    for (let n = 0; n < 6; n++) await test.db.tx((sql) => writeOutbox(sql, roundRobin(TOPIC, KEYS, 2_000)));
  });
  afterAll(() => test.drop());

  it('takes no more than may be in memory, and goes on behind it', async () => {
    const large = await testDatabase();
    const value = JSON.stringify({ text: 'x'.repeat(300_000) });
    const messages = roundRobin(TOPIC, KEYS, 60).map((message, n) => (n % 2 ? message : { ...message, value }));
    await large.db.tx((sql) => writeOutbox(sql, messages));
    const claims = claimsAt(() => 0);
    const pages: number[][] = [];
    for (let head = Infinity; claims.get(0)!.cursor < head;) {
      const fetched = await fetchNext(large.db, claims, [TOPIC], LIMIT, BEGINNING);
      expect(fetched.messages.reduce((sum, message) => sum + message.value.length, 0)).toBeLessThan(8_400_000);
      pages.push(fetched.messages.map(({ offset }) => offset));
      head = fetched.head;
    }
    expect(pages.length).toBe(2);
    expect(pages.flat()).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
    await large.drop();
  });

  it('sees what has the same time as the newest that it knows, as of a clock that was set back', async () => {
    const { db, drop } = await testDatabase();
    await db.query("update bus.head set at = date_trunc('second', clock_timestamp()) + interval '1 minute'");
    const claims = claimsAt(() => 0);
    let mark = BEGINNING;
    for (const offset of [1, 2]) {
      await writeOutbox(db, roundRobin(TOPIC, KEYS, 1));
      const fetched = await fetchNext(db, claims, [TOPIC], LIMIT, mark);
      expect(fetched.messages).toEqual([expect.objectContaining({ offset })]);
      ({ mark } = fetched);
    }
    await drop();
  });

  it('takes of each partition what is behind its own place, also of what this process has just published', async () => {
    const { messages } = await fetchNext(
      test.db,
      claimsAt(() => 0),
      [TOPIC],
      LIMIT,
      BEGINNING,
    );
    const [first, second] = messages;
    const claims = () => claimsAt((partition) => (partition === first!.partition ? first!.offset : 0));
    const read = await fetchNext(test.db, claims(), [TOPIC], LIMIT, BEGINNING);
    const recent = new RecentMessages();
    recent.add({ messages, last: messages.at(-1)!.offset, incarnation: 'of this life' });
    const remembered = takeRecent(recent, claims(), new Set([TOPIC]), LIMIT);
    expect([read.messages[0], remembered.messages[0]]).toEqual([second, second]);
  });

  it('looks at no more than its window, however many messages the day has, also as it is planned for any place', async () => {
    const asked: [string, readonly unknown[]][] = [];
    const watched = Object.create(test.db, {
      query: {
        value: (text: string, params: readonly unknown[]) => {
          asked.push([text, params]);
          return test.db.query(text, params);
        },
      },
    }) as typeof test.db;
    for (const after of [0, 5_000, 11_950]) {
      const claims = claimsAt(() => after);
      const { messages, isBlind } = await fetchNext(watched, claims, [TOPIC], LIMIT, BEGINNING);
      expect(messages.map(({ offset }) => offset)).toEqual(
        Array.from({ length: Math.min(LIMIT, 12_000 - after) }, (_, n) => after + n + 1),
      );
      expect(isBlind).toBe(false);
    }
    for (const [text, params] of asked)
      for (const { read, plan } of await ownReadings(test.db, text, params))
        // The rows, and at most their places in the index before.
        expect([plan, read <= 2 * WINDOW + LIMIT]).toEqual([plan, true]);
  });
});
