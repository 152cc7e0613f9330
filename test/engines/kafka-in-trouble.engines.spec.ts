import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Kafka, type CloudEvent } from 'cloudevents';
import { ConfigResourceTypes, type KafkaMessage } from 'kafkajs';
import { PoisonMessageError, PostgresBus, type BusMessage, type ReceivedMessage, type Subscription } from '#messaging';
import { Ledger, numbered, roundRobin } from '#messaging/conformance/ledger';
import { deadLetterTopic, KafkaBus } from '#messaging/kafka/kafka-bus';
import { startRelay } from '#messaging/outbox/relay';
import { toBusMessage } from '#public-messages/core-message';
import { eventually, testDatabase } from '#testing';
import { KafkaNode } from './kafka';
import { clientOf, withAdmin } from './kafka-admin';

const ROOT = resolve(__dirname, '../..');
const KEYS = Array.from({ length: 30 }, (_, i) => `pst_${i}`);

describe('the bus on Apache Kafka', () => {
  let node: KafkaNode;
  let bus: KafkaBus;
  beforeAll(async () => {
    node = await KafkaNode.start();
    bus = new KafkaBus(node.url, { sessionTimeoutMs: 2_000 });
  }, 180_000);
  afterAll(async () => {
    await bus?.close();
    await node?.remove();
  });

  /** All messages of a topic as a consumer of others sees them. */
  const isKeyed = ({ key }: KafkaMessage): boolean => key !== null;

  async function read(
    topic: string,
    count: number,
    isWhole: (some: readonly KafkaMessage[]) => boolean = () => true,
  ): Promise<KafkaMessage[]> {
    const consumer = clientOf(node).consumer({ groupId: `reader-${topic}` });
    const read: KafkaMessage[] = [];
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void read.push(message) });
    await eventually(() => expect([read.length >= count, isWhole(read)]).toEqual([true, true]), { within: 60_000 });
    await consumer.disconnect();
    return read;
  }

  /** Bytes that the broker keeps of a topic. */
  function onDisk(topic: string): number {
    const data = join(node.plan.folder, 'data');
    const partitions = readdirSync(data).filter((name) => name.replace(/-\d+$/, '') === topic);
    const logs = partitions.flatMap((name) => readdirSync(join(data, name)).map((file) => join(data, name, file)));
    return logs.filter((file) => file.endsWith('.log')).reduce((sum, file) => sum + statSync(file).size, 0);
  }

  const published = (workspace: string, n: number): BusMessage =>
    toBusMessage({
      id: `evt_0000000${n}-0000-8000-8000-000000000000`,
      type: 'post.published',
      topic: 'postledger.posts.v1',
      workspace,
      key: 'pst_1',
      createdAt: '2026-04-22T14:00:00.000Z',
      dataJson: '{"postId":"pst_1","published":2,"failed":0,"total":2}',
      position: n,
      index: 0,
      actor: 'usr_1',
      correlationId: 'c-1',
      isWebhook: true,
    });

  it('makes missing topics with the partitions asked for, and never changes one that exists', async () => {
    const three = new KafkaBus(node.url, { partitions: 3 });
    await three.ensureTopics(['test.three.v1']);
    await bus.ensureTopics(['test.three.v1', 'test.twelve.v1']);
    const { topics } = await withAdmin(node, (admin) =>
      admin.fetchTopicMetadata({ topics: ['test.three.v1', 'test.twelve.v1'] }),
    );
    expect(Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length]))).toEqual({
      'test.three.v1': 3,
      'test.twelve.v1': 12,
    });
    await three.close();
  });

  it('carries large messages compressed, and many of them at once', async () => {
    await bus.ensureTopics(['test.large.v1']);
    const text = 'Ω'.repeat(100_000);
    const sent = Array.from({ length: 20 }, (_, n) => numbered('test.large.v1', 'one-key', n + 1, { text, n }));
    await bus.publish(sent);
    const got = await read('test.large.v1', sent.length);
    expect(got.map(({ value }) => String(value))).toEqual(sent.map(({ value }) => value));
    expect(onDisk('test.large.v1')).toBeLessThan(sent.length * Buffer.byteLength(text) * 0.1);
  });

  it('sends in smaller parts what a topic refuses in one', async () => {
    const topic = 'test.small.v1';
    await withAdmin(node, (admin) =>
      admin.createTopics({
        waitForLeaders: true,
        topics: [{ topic, numPartitions: 1, configEntries: [{ name: 'max.message.bytes', value: '60000' }] }],
      }),
    );
    const sent = Array.from({ length: 40 }, (_, n) => numbered(topic, 'one-key', n + 1, { text: 'x'.repeat(5_000) }));
    await bus.publish(sent);
    expect((await read(topic, sent.length)).map(({ value }) => String(value))).toEqual(sent.map(({ value }) => value));
  });

  it('reads partitions that are added while it runs', async () => {
    const topic = 'test.grown.v1';
    const grown = new KafkaBus(node.url, { partitions: 2, sessionTimeoutMs: 2_000, metadataAgeMs: 500 });
    await grown.ensureTopics([topic]);
    const ledger = new Ledger();
    const news = new Ledger();
    await grown.subscribe({ group: 'grown', topics: [topic], onBatch: ledger.handle });
    await grown.subscribe({ group: 'grown-news', topics: [topic], from: 'latest', onBatch: news.handle });
    const before = roundRobin(topic, KEYS, KEYS.length);
    await grown.publish(before);
    await eventually(() => expect(ledger.missing(before)).toEqual([]), { within: 60_000 });
    await withAdmin(node, (admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 8 }] }));
    const after = KEYS.map((key) => numbered(topic, key, 2));
    await bus.publish(after);
    for (const each of [ledger, news])
      await eventually(() => expect(each.missing(after)).toEqual([]), { within: 60_000 });
    await grown.close();
  }, 180_000);

  it('reads what it has written where brokers are set to a codec that it cannot read', async () => {
    const codec = (value: string) =>
      withAdmin(node, (admin) =>
        admin.alterConfigs({
          validateOnly: false,
          resources: [
            { type: ConfigResourceTypes.BROKER, name: '1', configEntries: [{ name: 'compression.type', value }] },
          ],
        }),
      );
    await codec('lz4');
    const message = numbered('test.codec.v1', 'pst_1', 1);
    await bus.ensureTopics([message.topic]);
    await bus.publish([message]);
    expect(await read(message.topic, 1)).toHaveLength(1);
    await codec('producer');
  });

  it('makes a topic anew that is deleted while it is in use, and goes on with it and those beside it', async () => {
    const [gone, stays] = ['test.gone.v1', 'test.stays.v1'];
    await bus.ensureTopics([gone, stays]);
    const ledger = new Ledger();
    const subscription = await bus.subscribe({ group: 'gone', topics: [gone, stays], onBatch: ledger.handle });
    const sent = [1, 2].map((n) => [numbered(gone, 'pst_1', n), numbered(stays, 'pst_2', n)]);
    await bus.publish(sent[0]!);
    await eventually(() => expect(ledger.missing(sent[0]!)).toEqual([]), { within: 60_000 });
    // Health asks, as ever.
    await eventually(async () => expect(await subscription.lag()).toBe(0), { within: 60_000 });
    await withAdmin(node, (admin) => admin.deleteTopics({ topics: [gone] }));
    await bus.publish(sent[1]!);
    await eventually(() => expect(ledger.missing(sent[1]!)).toEqual([]), { within: 60_000 });
    await subscription.close();
  }, 120_000);

  it('makes a topic anew that is missing when something is said on it', async () => {
    const message = numbered('test.missing.v1', 'pst_1', 1);
    await eventually(() => bus.publish([message]), { within: 60_000 });
    expect(await read(message.topic, 1)).toHaveLength(1);
  }, 120_000);

  /** A group that can handle nothing of a topic. */
  async function refuser(group: string, topic: string): Promise<Subscription> {
    await bus.ensureTopics([topic]);
    return bus.subscribe({
      group,
      topics: [topic],
      onBatch: async ([first]) => {
        throw new PoisonMessageError(first!, 'no such type');
      },
    });
  }

  it('parks a poison message in the dead-letter topic, with its reason and its place', async () => {
    const subscription = await refuser('poisoned', 'test.poison.v1');
    await bus.publish([numbered('test.poison.v1', 'pst_1', 1)]);
    await eventually(async () => expect(await subscription.lag()).toBe(0), { within: 60_000 });
    const [parked] = await read(deadLetterTopic('test.poison.v1'), 1);
    expect(String(parked!.key)).toBe('pst_1');
    expect(String(parked!.headers!['ce_id'])).toBe('evt_pst_1_1');
    expect(String(parked!.headers!['postledger-dead-reason'])).toBe('no such type');
    expect(String(parked!.headers!['postledger-dead-group'])).toBe('poisoned');
    expect(String(parked!.headers!['postledger-dead-place'])).toMatch(/^test\.poison\.v1\/\d+\/0$/);
    await subscription.close();
  });

  it('parks a message of others byte by byte, with nothing more than why it is dead', async () => {
    const subscription = await refuser('poisoned-by-others', 'test.foreign.v1');
    const bytes = Buffer.of(0, 0xff, 0xfe, 0x80);
    const producer = clientOf(node).producer();
    await producer.connect();
    const twice = [Buffer.from('first'), bytes];
    const messages = [
      { key: bytes, value: bytes, headers: { twice } },
      { key: null, value: null },
    ];
    await producer.send({ topic: 'test.foreign.v1', messages });
    await producer.disconnect();
    await eventually(async () => expect(await subscription.lag()).toBe(0), { within: 60_000 });
    // One may be parked twice, as it may be read twice.
    const isBoth = (some: readonly KafkaMessage[]) => some.some(isKeyed) && !some.every(isKeyed);
    const parked = await read(deadLetterTopic('test.foreign.v1'), 2, isBoth);
    const [binary, empty] = [parked.find(isKeyed), parked.find((message) => !isKeyed(message))];
    expect(binary).toMatchObject({ key: bytes, value: bytes, headers: { twice } });
    expect(empty).toMatchObject({ key: null, value: null });
    const dead = ['postledger-dead-reason', 'postledger-dead-group', 'postledger-dead-place'];
    expect(Object.keys(empty!.headers!).sort()).toEqual([...dead].sort());
    await subscription.close();
  });

  describe('read by others', () => {
    beforeAll(async () => {
      await bus.ensureTopics(['postledger.posts.v1']);
      await bus.publish([published('ws_1', 1), published('ws_1', 2)]);
    });

    it('is a CloudEvent to the SDK', async () => {
      const [message] = await read('postledger.posts.v1', 2);
      const headers = Object.fromEntries(
        Object.entries(message!.headers!).map(([name, value]) => [name, String(value)]),
      );
      const binding = {
        headers,
        body: String(message!.value),
        key: String(message!.key),
        value: String(message!.value),
      };
      const event = Kafka.toEvent(binding) as CloudEvent;
      expect(event.validate()).toBe(true);
      expect(event).toMatchObject({
        specversion: '1.0',
        id: 'evt_00000001-0000-8000-8000-000000000000',
        type: 'post.published',
        source: 'urn:postledger:workspace:ws_1',
        subject: 'pst_1',
        time: '2026-04-22T14:00:00.000Z',
        datacontenttype: 'application/json',
        data: { postId: 'pst_1', published: 2, failed: 0, total: 2 },
      });
    });

    it('prints in kcat as the guide says', () => {
      installKcat();
      const command = guideBlock('sh').replace('"$BROKERS"', `127.0.0.1:${node.port}`);
      const printed = execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      const [first] = printed.split('\n');
      expect(first).toMatch(/^pst_1 /);
      expect(first).toContain('ce_id=evt_00000001-0000-8000-8000-000000000000');
      expect(first).toContain('ce_type=post.published');
      expect(first).toContain('ce_source=urn:postledger:workspace:ws_1');
      expect(first).toContain('content-type=application/json');
      expect(first).toMatch(/ \{"postId":"pst_1","published":2,"failed":0,"total":2\}$/);
    });

    it("reaches the guide's consumer", async () => {
      const parent = join(ROOT, '.cache');
      mkdirSync(parent, { recursive: true });
      const folder = mkdtempSync(join(parent, 'guide-'));
      let child: ChildProcess | undefined;
      try {
        writeFileSync(join(folder, 'consumer.mjs'), guideBlock('js'));
        let printed = '';
        child = spawn(process.execPath, ['consumer.mjs'], {
          cwd: folder,
          env: { ...process.env, BROKERS: `127.0.0.1:${node.port}` },
        });
        child.stdout!.on('data', (chunk: Buffer) => (printed += chunk.toString()));
        await eventually(
          () => expect(printed).toContain('evt_00000002-0000-8000-8000-000000000000 post.published pst_1'),
          { within: 90_000 },
        );
      } finally {
        child?.kill('SIGKILL');
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });

  it('loses nothing and keeps order through a stopped broker and a killed one, from the outbox to the consumers', async () => {
    const test = await testDatabase();
    const outbox = new PostgresBus(test.db);
    const target = new KafkaBus(node.url, { sessionTimeoutMs: 2_000 });
    const topic = 'test.trouble.v1';
    const ledger = new Ledger();
    const faults: string[] = [];
    const onFault = ({ message }: Error) => faults.push(message);
    const onBatch = (messages: readonly ReceivedMessage[]) => ledger.handle(messages);
    const relay = await startRelay({ outbox, target, topics: [topic], onFault });
    const consumers = [
      await bus.subscribe({ group: 'trouble', topics: [topic], onBatch, onFault }),
      await target.subscribe({ group: 'trouble', topics: [topic], onBatch, onFault }),
    ];
    const sent = roundRobin(topic, KEYS, 3_000);
    const third = sent.length / 3;
    const publish = async (from: number): Promise<void> => {
      for (let i = from; i < from + third; i += 50) await outbox.publish(sent.slice(i, i + 50));
    };
    await publish(0);
    await eventually(() => expect(ledger.distinct).toBeGreaterThan(third / 2), { within: 90_000 });
    await node.stop();
    await publish(third);
    await eventually(() => expect(faults.length).toBeGreaterThan(0), { within: 90_000 });
    await node.restart();
    await eventually(() => expect(ledger.distinct).toBeGreaterThan(third), { within: 90_000 });
    const last = publish(2 * third);
    await node.kill();
    await last;
    await node.restart();
    await eventually(() => expect(ledger.missing(sent)).toEqual([]), { within: 90_000 });
    expect(ledger.disorder()).toEqual([]);
    await Promise.all([relay, ...consumers].map((subscription) => subscription.close()));
    await target.close();
    await outbox.close();
    await test.drop();
  }, 300_000);
});

/** The guide's first code block of a language. */
function guideBlock(language: string): string {
  const guide = readFileSync(join(ROOT, 'docs/guide/consume-the-bus.md'), 'utf8');
  return guide.split(`\`\`\`${language}\n`)[1]!.split('```')[0]!;
}

function installKcat(): void {
  const has = () => {
    try {
      execFileSync('sh', ['-c', 'command -v kcat'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };
  if (has()) return;
  if (process.getuid?.() !== 0) throw new Error('This test needs kcat: install the package kcat.');
  execFileSync('apt-get', ['install', '-y', '-q', 'kcat'], { stdio: ['ignore', 'ignore', 'inherit'] });
}
