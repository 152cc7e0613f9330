import { Kafka, logLevel, type Admin, type ISocketFactory } from 'kafkajs';
import {
  BusRefusedError,
  type Bus,
  type BusMessage,
  type ReceivedMessage,
  type SubscribeOptions,
  type Subscription,
} from '../port/bus';
import { beginnings } from './kafka-hello';
import { KafkaProducer } from './kafka-producer';
import { refusalOf } from './kafka-refusal';
import { askRelease } from './kafka-release';
import { connectionOf, type Connection } from './kafka-settings';
import { toDeadLetter, toKafka } from './kafka-wire';
import { KafkaSubscription, unread } from './kafka-subscription';
import { abandon, atMost, CLOSE_MS, connected, onSilence } from './patience';
import { ownSockets } from './sockets';
import { inWholeResponses } from './whole-responses';

export interface KafkaBusOptions {
  readonly clientId?: string;
  /** Partitions of topics that are made (12). One that exists is never changed. */
  readonly partitions?: number;
  /** The broker takes a consumer that was silent for so long for dead (6,000). */
  readonly sessionTimeoutMs?: number;
  /** Partitions that somebody adds to a topic are written to and read after so long (30,000). */
  readonly metadataAgeMs?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What kafkajs has to say, from errors upwards. */
  readonly onLog?: (line: string) => void;
  readonly socketFactory?: ISocketFactory;
}

/** kafkajs looks every five minutes, and what comes into a new partition waits meanwhile. */
const METADATA_AGE_MS = 30_000;
/** Brokers may be set to write with a codec of their own, of which kafkajs reads gzip alone. */
const TOPIC_SETTINGS = [{ name: 'compression.type', value: 'producer' }];
/** A release is asked for again after so long: brokers are replaced under the same name. */
const RELEASE_MS = 60_000;
const LEADER_TRIES = 100;
const LEADER_PAUSE_MS = 100;

/** Where a message goes that a group cannot handle. */
export const deadLetterTopic = (topic: string): string => `${topic}.dlq`;

/** The bus on Apache Kafka through kafkajs. Opens its connections when they are first needed. */
export class KafkaBus implements Bus {
  private readonly kafka: Kafka;
  private readonly metadataAgeMs: number;
  private readonly producer: KafkaProducer;
  private readonly subscriptions = new Set<KafkaSubscription>();
  private admin: Promise<Admin> | undefined;
  private readonly connection: Connection;
  private release: { readonly asked: number; readonly told: Promise<string | undefined> } | undefined;

  /** `url`: `kafka://[user:password@]host:port,host:port[?tls=true&mechanism=…]`. Throws when it cannot be read. */
  constructor(
    url: string,
    private readonly options: KafkaBusOptions = {},
  ) {
    // The default partitioner of the Java client, by key: kafkajs asks to be told that this is known.
    process.env['KAFKAJS_NO_PARTITIONER_WARNING'] ??= '1';
    this.connection = connectionOf(url, options.env);
    this.kafka = new Kafka({
      ...this.connection,
      brokers: () => beginnings(this.connection),
      clientId: options.clientId ?? 'postledger',
      connectionTimeout: 3_000,
      requestTimeout: 15_000,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 10 },
      logLevel: logLevel.ERROR,
      logCreator:
        () =>
        ({ namespace, log: { message, error } }) =>
          options.onLog?.(`${namespace}: ${message}${error ? ` (${String(error)})` : ''}`),
      socketFactory: inWholeResponses(options.socketFactory ?? ownSockets),
    });
    this.metadataAgeMs = options.metadataAgeMs ?? METADATA_AGE_MS;
    this.producer = new KafkaProducer(this.kafka, this.metadataAgeMs, (topics) => this.makeAnew(topics));
  }

  publish(messages: readonly BusMessage[]): Promise<void> {
    return this.producer.publish(messages.map(toKafka));
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const subscription: KafkaSubscription = new KafkaSubscription(
      {
        kafka: this.kafka,
        admin: () => this.connectedAdmin(),
        park: (message, reason) => this.park(message, reason, options.group),
        makeAnew: (topics) => this.makeAnew(topics),
        onClosed: () => this.subscriptions.delete(subscription),
      },
      options,
      { sessionTimeoutMs: this.options.sessionTimeoutMs ?? 6_000, metadataAgeMs: this.metadataAgeMs },
    );
    this.subscriptions.add(subscription);
    try {
      await subscription.start();
    } catch (error) {
      this.subscriptions.delete(subscription);
      throw error;
    }
    return subscription;
  }

  async ensureTopics(topics: readonly string[]): Promise<void> {
    await this.makeMissing(await this.connectedAdmin(), topics);
  }

  /** Topics that are gone. An admin that was ever asked about one makes none any more, so this is for another. */
  private async makeAnew(topics: readonly string[]): Promise<void> {
    const admin = await this.openAdmin();
    try {
      await this.makeMissing(admin, topics);
    } finally {
      await admin.disconnect();
    }
  }

  private async makeMissing(admin: Admin, topics: readonly string[]): Promise<void> {
    const known = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !known.has(topic));
    if (missing.length === 0) return;
    const numPartitions = this.options.partitions ?? 12;
    const asked = { numPartitions, configEntries: TOPIC_SETTINGS };
    await admin.createTopics({ waitForLeaders: false, topics: missing.map((topic) => ({ topic, ...asked })) });
    await this.untilLed(admin, missing);
  }

  /** A new topic is not there at once: brokers deny it, or lack a leader, or the leader has yet to hear that it is one, for some milliseconds. */
  private async untilLed(admin: Admin, topics: string[]): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        const { topics: made } = await admin.fetchTopicMetadata({ topics });
        if (made.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)))
          return void (await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic))));
        if (tries >= LEADER_TRIES) throw new Error(`No leader for the partitions of ${topics.join(', ')}`);
      } catch (error) {
        if (tries >= LEADER_TRIES) throw error;
      }
      await new Promise((again) => setTimeout(again, LEADER_PAUSE_MS));
    }
  }

  /** Messages that a group, running or not, has yet to commit. */
  async unread(group: string, topics: readonly string[]): Promise<number> {
    return unread(await this.connectedAdmin(), { group, topics });
  }

  async check(): Promise<{ engine: string; version: string }> {
    try {
      const { brokers, clusterId } = await (await this.connectedAdmin()).describeCluster();
      const cluster = `cluster ${clusterId}, brokers ${brokers.length}`;
      const release = await this.toldRelease();
      return { engine: 'Apache Kafka', version: release === undefined ? cluster : `${release} (${cluster})` };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal) throw new BusRefusedError(refusal, { cause: error });
      throw new Error(`Kafka does not answer: ${(error as Error).message}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((subscription) => subscription.close()));
    await this.producer.close();
    await atMost(CLOSE_MS, this.closeAdmin());
  }

  /** One that cannot connect has nothing to close. */
  private async closeAdmin(): Promise<void> {
    const admin = await this.admin?.catch(() => undefined);
    await admin?.disconnect();
  }

  private toldRelease(): Promise<string | undefined> {
    const now = performance.now();
    if (!this.release || now - this.release.asked > RELEASE_MS)
      this.release = { asked: now, told: askRelease(this.connection) };
    return this.release.told;
  }

  private connectedAdmin(): Promise<Admin> {
    this.admin ??= this.openAdmin().then(
      (admin) => {
        // Whoever asks next asks another one, which begins at a broker that answers.
        const unhear = onSilence(admin, () => {
          unhear();
          this.admin = undefined;
          abandon(admin, Promise.resolve());
        });
        return admin;
      },
      (error: Error) => {
        this.admin = undefined;
        throw error;
      },
    );
    return this.admin;
  }

  private openAdmin(): Promise<Admin> {
    // Fails soon: health asks, and topics are made while somebody waits.
    return connected(this.kafka.admin({ retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 4 } }));
  }

  private async park(message: ReceivedMessage, reason: string, group: string): Promise<void> {
    const topic = deadLetterTopic(message.topic);
    await this.ensureTopics([topic]);
    await this.producer.publish([toDeadLetter(message, { topic, reason, group })]);
  }
}
