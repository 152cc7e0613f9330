import { connect, type Socket } from 'node:net';
import type { ReceivedMessage, SubscribeOptions } from '#messaging';
import { Ledger, numbered, roundRobin } from '#messaging/conformance/ledger';
import { KafkaBus } from '#messaging/kafka/kafka-bus';
import { eventually } from '#testing';
import { KafkaNode } from './kafka';
import { withAdmin } from './kafka-admin';

/** Of a member: longer than a busy machine keeps one waiting for its turn. */
const SESSION_MS = 4_000;
const KEYS = Array.from({ length: 24 }, (_, i) => `pst_${i}`);

/** What the delivery app asks of a consumer beyond the conformance suite: slow work, too much work, and none of it acknowledged early. */
describe('a consumer of Apache Kafka', () => {
  let node: KafkaNode;
  const buses: KafkaBus[] = [];
  beforeAll(async () => void (node = await KafkaNode.start()), 180_000);
  afterEach(async () => void (await Promise.all(buses.splice(0).map((bus) => bus.close()))));
  afterAll(() => node?.remove());

  const open = (options: ConstructorParameters<typeof KafkaBus>[1] = {}): KafkaBus => {
    const bus = new KafkaBus(node.url, { sessionTimeoutMs: SESSION_MS, ...options });
    buses.push(bus);
    return bus;
  };

  /** The brokers' own idea of a group. */
  const committed = (groupId: string, topic: string) =>
    withAdmin(node, async (admin) => {
      const [{ partitions } = { partitions: [] }] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
    });

  it('keeps its partitions through work that takes three sessions, and has committed nothing meanwhile', async () => {
    const [bus, other] = [open(), open()];
    const topic = 'test.long.v1';
    await bus.ensureTopics([topic]);
    const [slow, beside] = [new Ledger(), new Ledger()];
    let begun = 0;
    let release: () => void = () => undefined;
    const released = new Promise<void>((over) => (release = over));
    const onBatch: SubscribeOptions['onBatch'] = async (messages) => {
      const isFirst = ++begun === 1;
      if (isFirst) await Promise.all([released, new Promise((over) => setTimeout(over, 3 * SESSION_MS))]);
      await slow.handle(messages);
    };
    const group = 'long';
    await bus.subscribe({ group, topics: [topic], onBatch });
    const sent = roundRobin(topic, KEYS, 240);
    await bus.publish(sent);
    await eventually(() => expect(begun).toBe(1), { within: 60_000 });
    // It would get what a silent member loses.
    await other.subscribe({ group: `${group}-beside`, topics: [topic], onBatch: beside.handle });
    await eventually(() => expect(beside.missing(sent)).toEqual([]), { within: 60_000 });
    expect([slow.ids, await committed(group, topic)]).toEqual([[], 0]);
    const generation = () => withAdmin(node, async (admin) => (await admin.describeGroups([group])).groups[0]!.members);
    const [member] = await generation();
    release();
    await eventually(() => expect(slow.missing(sent)).toEqual([]), { within: 60_000 });
    expect(slow.duplicates).toBe(0);
    expect((await generation()).map(({ memberId }) => memberId)).toEqual([member!.memberId]);
    await eventually(async () => expect(await committed(group, topic)).toBe(sent.length), { within: 60_000 });
  }, 240_000);

  it('takes no more from the broker than it can hold while its handler is busy', async () => {
    const sockets = new Set<Socket>();
    const bus = open({
      socketFactory: ({ host, port, onConnect }) => {
        const socket = connect({ host, port }, onConnect);
        sockets.add(socket);
        return socket;
      },
    });
    const topic = 'test.much.v1';
    const writer = open();
    await writer.ensureTopics([topic]);
    const ledger = new Ledger();
    let release: () => void = () => undefined;
    const released = new Promise<void>((over) => (release = over));
    let inHand: readonly ReceivedMessage[] = [];
    await bus.subscribe({
      group: 'much',
      topics: [topic],
      onBatch: async (messages) => {
        inHand = messages;
        await released;
        await ledger.handle(messages);
      },
    });
    const filler = 'x'.repeat(2_000);
    const sent = KEYS.flatMap((key) =>
      Array.from({ length: 400 }, (_, n) => numbered(topic, key, n + 1, { filler: `${filler}${n}` })),
    );
    for (let from = 0; from < sent.length; from += 800) await writer.publish(sent.slice(from, from + 800));
    await eventually(() => expect(inHand.length).toBeGreaterThan(0), { within: 60_000 });
    // Two sessions later it still holds one fetch (5 MiB at most) of the 20 MB that wait.
    await new Promise((over) => setTimeout(over, 2 * SESSION_MS));
    const taken = [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
    expect(taken).toBeLessThan(8 * 1_024 * 1_024);
    expect(inHand.length).toBeLessThanOrEqual(500);
    release();
    await eventually(() => expect(ledger.missing(sent)).toEqual([]), { within: 60_000 });
    expect(ledger.disorder()).toEqual([]);
  }, 240_000);

  it('notices a broker that hangs without a word, and goes on by itself when it is back', async () => {
    const bus = open({ sessionTimeoutMs: 2_000 });
    const topic = 'test.crash.v1';
    await bus.ensureTopics([topic]);
    const [ledger, faults] = [new Ledger(), [] as string[]];
    await bus.subscribe({
      group: 'crash',
      topics: [topic],
      onBatch: ledger.handle,
      onFault: ({ message }) => faults.push(message),
    });
    const sent = roundRobin(topic, KEYS, 48);
    await bus.publish(sent.slice(0, 24));
    await eventually(() => expect(ledger.distinct).toBe(24), { within: 60_000 });
    node.freeze();
    await eventually(() => expect(faults.length).toBeGreaterThan(0), { within: 60_000, every: 100 });
    node.thaw();
    await eventually(() => bus.publish(sent.slice(24)), { within: 60_000, every: 100 });
    await eventually(() => expect(ledger.missing(sent)).toEqual([]), { within: 60_000 });
    expect(ledger.disorder()).toEqual([]);
  }, 240_000);
});
