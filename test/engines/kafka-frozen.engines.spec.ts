import { Ledger, roundRobin } from '#messaging/conformance/ledger';
import { KafkaBus } from '#messaging/kafka/kafka-bus';
import { eventually } from '#testing';
import { KafkaNode } from './kafka';
import { clientOf } from './kafka-admin';

const GROUP = 'frozen';
const TOPIC = 'test.frozen.v1';
const KEYS = Array.from({ length: 24 }, (_, i) => `pst_${i}`);
/** The least that the broker allows: so that many of them pass. */
const SESSION_MS = 1_000;
/** Longer than kafkajs waits for an answer, twice. */
const FROZEN_MS = 40_000;

/** Whatever a process made to get back into its group, it is one member of it, and none when it is told to leave. */
describe('the members of a group on Apache Kafka', () => {
  let node: KafkaNode;
  beforeAll(async () => void (node = await KafkaNode.start()), 180_000);
  afterAll(() => node?.remove());

  it('are as many as there are subscriptions after a broker hung for long, and none when these are closed', async () => {
    const bus = new KafkaBus(node.url, { sessionTimeoutMs: SESSION_MS });
    const admin = clientOf(node).admin();
    await admin.connect();
    const members = async () => (await admin.describeGroups([GROUP])).groups[0]!.members.length;
    const ledger = new Ledger();
    await bus.ensureTopics([TOPIC]);
    const subscription = await bus.subscribe({ group: GROUP, topics: [TOPIC], onBatch: ledger.handle });
    const sent = roundRobin(TOPIC, KEYS, 48);
    await bus.publish(sent.slice(0, 24));
    await eventually(() => expect(ledger.distinct).toBe(24), { within: 60_000 });
    node.freeze();
    await new Promise((over) => setTimeout(over, FROZEN_MS));
    node.thaw();
    await eventually(() => bus.publish(sent.slice(24)), { within: 60_000, every: 100 });
    await eventually(() => expect(ledger.missing(sent)).toEqual([]), { within: 60_000 });
    expect(ledger.disorder()).toEqual([]);
    // Time for those that were given up to join late, and to leave again.
    await new Promise((over) => setTimeout(over, 10 * SESSION_MS));
    await eventually(async () => expect(await members()).toBe(1), { within: 30_000 });
    await subscription.close();
    await eventually(async () => expect(await members()).toBe(0), { within: 30_000 });
    await Promise.all([admin.disconnect(), bus.close()]);
  }, 240_000);
});
