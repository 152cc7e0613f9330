import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { ReceivedMessage, SubscribeOptions, Subscription } from '../port/bus';
import { BatchCollector } from './batch-collector';
import { fromKafka } from './kafka-wire';

export interface ConsumerPace {
  /** The broker takes a consumer that was silent for so long for dead (6,000, the least that brokers allow by default). */
  readonly sessionTimeoutMs: number;
}

/** A partition's batch is cut into slices of this many, so that many partitions share a batch of the handler. */
const SLICE = 250;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** One fetch's partitions are all handled at once: more workers than anybody has partitions. */
const WORKERS = 256;
/** So many session time-outs without a sign of life of kafkajs, and the consumer is made anew. */
const SILENT_SESSIONS = 5;

interface Parts {
  readonly kafka: Kafka;
  readonly admin: () => Promise<Admin>;
  readonly park: (message: ReceivedMessage, reason: string) => Promise<void>;
  readonly onClosed: () => void;
}

/** What belongs to one membership of the group, from join to rebalance. */
interface Generation {
  readonly collector: BatchCollector;
  /** The partitions' batches in hand: any of them can beat and commit for all. */
  readonly batches: Set<EachBatchPayload>;
  /** The last one seen: with it one can still commit when none is in hand. */
  last: EachBatchPayload | undefined;
}

/** A kafkajs consumer that we keep alive: whatever ends it, another one takes its place until close. */
export class KafkaSubscription implements Subscription {
  private consumer: Consumer | undefined;
  private generation: Generation | undefined;
  private readonly timer: NodeJS.Timeout;
  private restart: NodeJS.Timeout | undefined;
  private starting: Promise<void> = Promise.resolve();
  private failures = 0;
  private lastSign = 0;
  private closing = false;

  constructor(
    private readonly parts: Parts,
    private readonly options: SubscribeOptions,
    private readonly pace: ConsumerPace,
  ) {
    this.timer = setInterval(() => this.beat(), pace.sessionTimeoutMs / 4).unref();
  }

  /** Joins the group. Rejects when the brokers cannot be reached; later faults are our own to mend. */
  async start(): Promise<void> {
    try {
      if (this.options.from === 'latest') await this.beginAtEnd();
      await this.run();
    } catch (error) {
      clearInterval(this.timer);
      throw error;
    }
  }

  async lag(): Promise<number> {
    return unread(await this.parts.admin(), this.options);
  }

  async close(): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    clearInterval(this.timer);
    clearTimeout(this.restart);
    this.generation?.collector.stop({ abort: true });
    await this.starting.catch((error: Error) => this.options.onFault?.(error));
    await this.leave();
    this.parts.onClosed();
  }

  /** Says goodbye to the group; not for ever when the brokers are away, since they notice by themselves. */
  private async leave(): Promise<void> {
    const left = this.consumer?.disconnect().catch((error: Error) => this.options.onFault?.(error));
    await this.generation?.collector.idle();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([left, new Promise<void>((over) => (timer = setTimeout(over, this.pace.sessionTimeoutMs * 2)))]);
    clearTimeout(timer);
  }

  private async run(): Promise<void> {
    const { group: groupId, topics, from } = this.options;
    const { sessionTimeoutMs: sessionTimeout } = this.pace;
    const consumer = this.parts.kafka.consumer({
      groupId,
      sessionTimeout,
      heartbeatInterval: sessionTimeout / 4,
      rebalanceTimeout: Math.max(30_000, sessionTimeout),
      maxWaitTimeInMs: 500,
      maxBytesPerPartition: 512 * 1_024,
      maxBytes: 5 * 1_024 * 1_024,
      allowAutoTopicCreation: false,
      // What kafkajs restarts by itself it restarts not always; we always do.
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    });
    this.consumer = consumer;
    this.watch(consumer);
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: from !== 'latest' });
      this.begin();
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: WORKERS,
        eachBatch: (payload) => this.eachBatch(payload),
      });
    } catch (error) {
      if (this.consumer === consumer) this.consumer = undefined;
      await consumer.disconnect();
      throw error;
    }
  }

  private watch(consumer: Consumer): void {
    const alive = (): void => void (this.lastSign = performance.now());
    alive();
    consumer.on(consumer.events.GROUP_JOIN, () => {
      alive();
      this.failures = 0;
      // What waited belonged to the generation before, and comes again to whoever owns it now.
      this.begin();
    });
    consumer.on(consumer.events.HEARTBEAT, alive);
    consumer.on(consumer.events.FETCH, alive);
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (this.consumer === consumer) this.startAgain(payload.error);
    });
  }

  private startAgain(reason: Error): void {
    this.options.onFault?.(reason);
    this.generation?.collector.stop({ abort: true });
    this.consumer = undefined;
    if (this.closing) return;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.failures++, LONGEST_PAUSE_MS);
    clearTimeout(this.restart);
    this.restart = setTimeout(() => {
      if (this.closing) return;
      this.starting = this.run();
      this.starting.catch((error: Error) => this.startAgain(error));
    }, pause);
  }

  private begin(): void {
    this.generation?.collector.stop({ abort: false });
    const { onBatch, onFault, maxBatch, onParked } = this.options;
    const collector = new BatchCollector(
      { onBatch, ...(onFault && { onFault }), ...(maxBatch && { maxBatch }) },
      async ({ poison, reason }) => {
        await this.parts.park(poison, reason);
        onParked?.(poison, reason);
      },
      (messages) => commit(generation.last, messages),
    );
    const generation: Generation = { collector, batches: new Set(), last: undefined };
    this.generation = generation;
  }

  private async eachBatch(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    const generation = this.generation!;
    const { collector, batches } = generation;
    generation.last = payload;
    const most = Math.min(SLICE, this.options.maxBatch ?? SLICE);
    batches.add(payload);
    try {
      for (let from = 0; from < messages.length && payload.isRunning() && !payload.isStale(); from += most) {
        const slice = messages.slice(from, from + most);
        if (!(await collector.handle(slice.map((message) => fromKafka(topic, partition, message))))) break;
        payload.resolveOffset(slice.at(-1)!.offset);
      }
    } finally {
      batches.delete(payload);
    }
    if (this.closing) return collector.flush();
    try {
      await payload.heartbeat();
    } catch (error) {
      // The group is rebalancing: what is handled is committed first, what is not is somebody's to fetch again.
      await collector.flush();
      throw error;
    }
  }

  /** Long work keeps its partitions: kafkajs itself beats only between batches. */
  private beat(): void {
    const payload = this.generation?.batches.values().next().value;
    void this.generation?.collector.flush();
    if (payload) {
      payload.heartbeat().catch((error: Error) => {
        // A rebalance waits for us: finish what is in hand, leave the rest.
        this.generation?.collector.stop({ abort: false });
        this.options.onFault?.(error);
      });
    } else if (this.consumer && performance.now() - this.lastSign > this.pace.sessionTimeoutMs * SILENT_SESSIONS) {
      const silent = this.consumer;
      this.startAgain(new Error(`The Kafka consumer of ${this.options.group} fell silent`));
      silent.disconnect().catch((error: Error) => this.options.onFault?.(error));
    }
  }

  /** A new group that wants only news begins at this moment, also when it comes to read later. Others' groups are left alone. */
  private async beginAtEnd(): Promise<void> {
    const admin = await this.parts.admin();
    const { group: groupId, topics } = this.options;
    const known = await admin.fetchOffsets({ groupId, topics: [...topics] });
    for (const { topic, partitions } of known) {
      if (partitions.some(({ offset }) => Number(offset) >= 0)) continue;
      const ends = await admin.fetchTopicOffsets(topic);
      await admin.setOffsets({
        groupId,
        topic,
        partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
      });
    }
  }
}

/** One commit for the slices of many partitions. */
async function commit(payload: EachBatchPayload | undefined, messages: readonly ReceivedMessage[]): Promise<void> {
  const ends = new Map<string, Map<number, number>>();
  for (const { topic, partition, offset } of messages) {
    const partitions = ends.get(topic) ?? new Map<number, number>();
    ends.set(topic, partitions.set(partition, offset + 1));
  }
  const topics = [...ends].map(([topic, partitions]) => ({
    topic,
    partitions: [...partitions].map(([partition, offset]) => ({ partition, offset: String(offset) })),
  }));
  await payload?.commitOffsetsIfNecessary({ topics });
}

/** Messages of some topics that a group has not committed. */
export async function unread(
  admin: Admin,
  { group, topics }: { readonly group: string; readonly topics: readonly string[] },
): Promise<number> {
  const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] });
  let lag = 0;
  for (const { topic, partitions } of committed) {
    const ends = new Map((await admin.fetchTopicOffsets(topic)).map((end) => [end.partition, end]));
    for (const { partition, offset } of partitions) {
      const end = ends.get(partition);
      if (end) lag += Number(end.high) - Math.max(Number(offset), Number(end.low));
    }
  }
  return lag;
}
