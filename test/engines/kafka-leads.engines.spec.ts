import type { BusMessage, ReceivedMessage } from '#messaging';
import { Ledger, numbered } from '#messaging/conformance/ledger';
import { KafkaBus } from '#messaging/kafka/kafka-bus';
import { eventually } from '#testing';
import { KafkaNode } from './kafka';
import { lead, readAll } from './kafka-admin';

const STAYS = 'test.stays.v1';
const MOVES = 'test.moves.v1';
const TOPICS = [STAYS, MOVES];
/** Who leads a partition of it coordinates the groups that it is of. */
const OFFSETS = '__consumer_offsets';
const KEYS = 30;
const ROUNDS = 2;

describe('a bus on two Kafka brokers', () => {
  let first: KafkaNode;
  let second: KafkaNode;
  let bus: KafkaBus;
  beforeAll(async () => {
    first = await KafkaNode.start();
    second = await KafkaNode.start({ joins: first });
    bus = new KafkaBus(`kafka://127.0.0.1:${second.port},127.0.0.1:${first.port}`);
  }, 180_000);
  afterAll(async () => {
    await bus?.close();
    await second?.remove();
    await first?.remove();
  });

  const ofEachKey = (n: number): BusMessage[] =>
    TOPICS.flatMap((topic) => Array.from({ length: KEYS }, (_, key) => numbered(topic, `${topic}-${key}`, n)));
  const isTaken = (messages: readonly BusMessage[]): Promise<boolean> =>
    bus.publish(messages).then(
      () => true,
      () => false,
    );

  it('has said all that it took, and reads all of it in order, while leads go from broker to broker in mid-send', async () => {
    await bus.ensureTopics(TOPICS);
    await lead(first, [STAYS], [first]);
    const ledger = new Ledger();
    await bus.subscribe({ group: 'moved', topics: TOPICS, onBatch: ledger.handle });
    let isOver = false;
    const sent: BusMessage[] = [];
    const writing = (async () => {
      for (let n = 1; !isOver; n++) {
        const messages = ofEachKey(n);
        // As the relay does, which sends again what was not taken.
        while (!(await isTaken(messages)));
        sent.push(...messages);
      }
    })();
    for (let round = 0; round < ROUNDS; round++) {
      await lead(first, [MOVES], [second]);
      await lead(first, [MOVES], [first]);
    }
    isOver = true;
    await writing;
    const said = await Promise.all(TOPICS.map((topic) => readAll(first, topic)));
    const ids = new Set(said.flat().map(({ id }) => id));
    expect(sent.filter(({ id }) => !ids.has(id))).toEqual([]);
    await eventually(() => expect(ledger.missing(sent)).toEqual([]), { within: 60_000 });
    expect(ledger.disorder()).toEqual([]);
  }, 300_000);

  it('goes on without a broker that hangs for good, and so does one that is opened meanwhile', async () => {
    await lead(first, [...TOPICS, OFFSETS], [second, first]);
    const sent = [1, 2].map((n) =>
      TOPICS.flatMap((topic) => Array.from({ length: KEYS }, (_, key) => numbered(topic, `${topic}-hung-${key}`, n))),
    );
    const [before, after] = [new Ledger(), new Ledger()];
    const handleOwn =
      ({ handle }: Ledger) =>
      (messages: readonly ReceivedMessage[]) =>
        handle(messages.filter(({ key }) => key.includes('-hung-')));
    await bus.subscribe({ group: 'before', topics: TOPICS, onBatch: handleOwn(before) });
    await bus.publish(sent[0]!);
    await eventually(() => expect(before.missing(sent[0]!)).toEqual([]), { within: 60_000 });
    second.freeze();
    const opened = new KafkaBus(`kafka://127.0.0.1:${second.port},127.0.0.1:${first.port}`);
    try {
      while (!(await isTaken(sent[1]!)));
      for (const each of [bus, opened]) await eventually(() => each.check(), { within: 60_000, every: 100 });
      await opened.subscribe({ group: 'after', topics: TOPICS, onBatch: handleOwn(after) });
      for (const ledger of [before, after]) {
        await eventually(() => expect(ledger.missing(sent.flat())).toEqual([]), { within: 60_000 });
        expect(ledger.disorder()).toEqual([]);
      }
    } finally {
      await opened.close();
    }
  }, 150_000);
});
