import type { BusMessage } from '#messaging';
import { numbered } from '#messaging/conformance/ledger';
import { KafkaBus } from '#messaging/kafka/kafka-bus';
import { KafkaNode } from './kafka';
import { lead, readAll } from './kafka-admin';

const TOPICS = { stays: 'test.stays.v1', moves: 'test.moves.v1' };
const KEYS = Array.from({ length: 30 }, (_, i) => `pst_${i}`);
const MOVES = 4;

describe('a bus on two Kafka brokers', () => {
  let first: KafkaNode;
  let second: KafkaNode;
  let bus: KafkaBus;
  beforeAll(async () => {
    first = await KafkaNode.start();
    second = await KafkaNode.start({ joins: first });
    bus = new KafkaBus(first.url);
  }, 180_000);
  afterAll(async () => {
    await bus?.close();
    await second?.remove();
    await first?.remove();
  });

  it('has said all that it took while leads go from broker to broker in mid-send', async () => {
    await bus.ensureTopics(Object.values(TOPICS));
    await lead(first, [TOPICS.stays], [first]);
    const isTaken = (messages: readonly BusMessage[]) =>
      bus.publish(messages).then(
        () => true,
        () => false,
      );
    let isOver = false;
    const sent: string[] = [];
    const writing = (async () => {
      for (let n = 1; !isOver; n++) {
        const messages = Object.values(TOPICS).flatMap((topic) => KEYS.map((key) => numbered(topic, key, n)));
        // As the relay does, which sends again what was not taken.
        while (!(await isTaken(messages)));
        sent.push(...messages.map(({ topic, id }) => `${topic} ${id}`));
      }
    })();
    for (let move = 0; move < MOVES; move++) await lead(first, [TOPICS.moves], move % 2 ? [first] : [second]);
    isOver = true;
    await writing;
    const said = new Set<string>();
    for (const topic of Object.values(TOPICS))
      for (const { id } of await readAll(first, topic)) said.add(`${topic} ${id}`);
    expect(sent.filter((id) => !said.has(id))).toEqual([]);
  }, 300_000);
});
