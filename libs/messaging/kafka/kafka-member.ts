import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { first, PAGE_SIZE } from '#kernel';
import type { ReceivedMessage, SubscribeOptions } from '../port/bus';
import { BatchCollector } from './batch-collector';
import { fromKafka } from './kafka-wire';
import { onSilence } from './patience';

export interface ConsumerPace {
  /** The broker takes a consumer that was silent for so long for dead (6,000, the least that brokers allow by default). */
  readonly sessionTimeoutMs: number;
  /** What it knows of its topics is asked for again after so long. */
  readonly metadataAgeMs: number;
}

/** A partition's batch is cut into slices of at most this, so that many partitions share a batch of the handler. */
const SLICE = { count: 250, size: PAGE_SIZE / 8 };
/** One fetch's partitions are all handled at once: more workers than anybody has partitions. */
const WORKERS = 256;
/** So many session time-outs without a sign of life of kafkajs, and a member is taken for lost. */
const SILENT_SESSIONS = 5;
/** The coordinator lets those who join wait so long for members that still work. */
const REBALANCE_MS = 30_000;

/** What a broker answers to a heartbeat or a commit of a generation that is over: kafkajs joins again when it hears it too. */
const REJOINS = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'NOT_COORDINATOR_FOR_GROUP',
  'UNKNOWN_MEMBER_ID',
]);

interface Parts {
  readonly kafka: Kafka;
  readonly park: (message: ReceivedMessage, reason: string) => Promise<void>;
  readonly onJoined: () => void;
  /** It reads no more, and never will again. */
  readonly onLost: (reason: Error) => void;
}

/** What belongs to one membership of the group, from join to rebalance. */
interface Generation {
  readonly collector: BatchCollector;
  /** The partitions' batches in hand: any of them can beat and commit for all. */
  readonly batches: Set<EachBatchPayload>;
  /** The last one seen: with it one can still commit when none is in hand. */
  last: EachBatchPayload | undefined;
  /** Since when its commits are refused for good: its offsets are no longer the group's, or their coordinator is another one. */
  refusedAt: number | undefined;
}

const isOver = (error: unknown): boolean => REJOINS.has((error as { readonly type?: string }).type ?? '');

/** One kafkajs consumer, from its first attempt to join the group until it has left. Never used again. */
export class KafkaMember {
  private readonly consumer: Consumer;
  private readonly rebalanceTimeoutMs: number;
  private generation: Generation;
  /** Settles when joining has ended, well or not. */
  private joining: Promise<void> = Promise.resolve();
  private left: Promise<void> | undefined;
  /** Without a sign of life until then it is lost. */
  private silentAt = Infinity;

  constructor(
    private readonly parts: Parts,
    private readonly options: SubscribeOptions,
    private readonly pace: ConsumerPace,
  ) {
    const { sessionTimeoutMs: sessionTimeout, metadataAgeMs: metadataMaxAge } = pace;
    this.rebalanceTimeoutMs = Math.max(REBALANCE_MS, sessionTimeout);
    this.consumer = parts.kafka.consumer({
      groupId: options.group,
      sessionTimeout,
      metadataMaxAge,
      heartbeatInterval: sessionTimeout / 4,
      rebalanceTimeout: this.rebalanceTimeoutMs,
      maxWaitTimeInMs: 500,
      maxBytesPerPartition: 512 * 1_024,
      maxBytes: 5 * 1_024 * 1_024,
      allowAutoTopicCreation: false,
      // What kafkajs restarts by itself it restarts not always; we always do.
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    });
    this.generation = this.begun();
  }

  /** Joins the group. Rejects when the brokers cannot be reached; later faults are told as `onLost`. */
  async join(): Promise<void> {
    this.watch();
    const joined = this.run();
    this.joining = joined.catch(() => undefined);
    await joined;
  }

  /**
   * Hands nothing over any more and says goodbye to the group. What kafkajs is asked to end while it joins, it ends not: it would be a
   * member that nobody knows of. So joining ends first.
   */
  leave(): Promise<void> {
    this.generation.collector.stop({ abort: true });
    return (this.left ??= this.goodbye());
  }

  /** Resolves when no batch is in hand. */
  idle(): Promise<void> {
    return this.generation.collector.idle();
  }

  /** Long work keeps its partitions: kafkajs itself beats only between batches. */
  beat(): void {
    const { collector, batches, refusedAt } = this.generation;
    const payload = batches.values().next().value;
    void collector.flush();
    if (refusedAt !== undefined && performance.now() - refusedAt > this.pace.sessionTimeoutMs)
      return this.parts.onLost(new Error(`The group ${this.options.group} takes no commits of its Kafka consumer`));
    if (payload) {
      payload.heartbeat().catch((error: Error) => {
        // A rebalance waits for us: finish what is in hand, leave the rest. After a passing fault nobody would join anew.
        if (isOver(error)) collector.stop({ abort: false });
        this.options.onFault?.(error);
      });
    } else if (performance.now() > this.silentAt) {
      this.parts.onLost(new Error(`The Kafka consumer of ${this.options.group} fell silent`));
    }
  }

  private async goodbye(): Promise<void> {
    await this.joining;
    await this.consumer.disconnect().catch((error: Error) => this.options.onFault?.(error));
  }

  private async run(): Promise<void> {
    await this.consumer.connect();
    // Also for who begins at the latest, whose offsets are set by then: all that a partition holds that is added later is news.
    await this.consumer.subscribe({ topics: [...this.options.topics], fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: WORKERS,
      eachBatch: (payload) => this.eachBatch(payload),
    });
  }

  private watch(): void {
    const { events } = this.consumer;
    const { sessionTimeoutMs } = this.pace;
    const aliveFor = (ms: number) => void (this.silentAt = performance.now() + ms);
    const alive = () => aliveFor(sessionTimeoutMs * SILENT_SESSIONS);
    const waiting = () => aliveFor(this.rebalanceTimeoutMs + 2 * sessionTimeoutMs);
    waiting();
    this.consumer.on(events.REBALANCING, waiting);
    this.consumer.on(events.GROUP_JOIN, () => {
      alive();
      if (this.left) return;
      // What waited belonged to the generation before, and comes again to whoever owns it now.
      this.generation.collector.stop({ abort: false });
      this.generation = this.begun();
      this.parts.onJoined();
    });
    // A fetch is none: brokers give to whoever asks, and kafkajs goes on asking where its coordinator is silent or its joining has failed.
    this.consumer.on(events.HEARTBEAT, alive);
    this.consumer.on(events.CRASH, ({ payload }) => this.parts.onLost(payload.error));
    onSilence(this.consumer, (error) => this.parts.onLost(error));
  }

  private begun(): Generation {
    const { onBatch, onFault, maxBatch, onParked } = this.options;
    const collector = new BatchCollector(
      { onBatch, ...(onFault && { onFault }), ...(maxBatch && { maxBatch }) },
      async ({ poison, reason }) => {
        await this.parts.park(poison, reason);
        onParked?.(poison, reason);
      },
      (messages) => this.commit(generation, messages),
    );
    const generation: Generation = { collector, batches: new Set(), last: undefined, refusedAt: undefined };
    return generation;
  }

  /**
   * kafkajs joins again when it hears that its coordinator has moved; but when that fails, since the new one still loads the group, it goes on with
   * the former generation and commits at the former coordinator for ever. Who is refused for a whole session is lost.
   */
  private async commit(generation: Generation, messages: readonly ReceivedMessage[]): Promise<void> {
    try {
      await commit(generation.last, messages);
      generation.refusedAt = undefined;
    } catch (error) {
      if (isOver(error)) generation.refusedAt ??= performance.now();
      throw error;
    }
  }

  private async eachBatch(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = payload.batch;
    const { generation } = this;
    const { collector, batches } = generation;
    generation.last = payload;
    const most = this.options.maxBatch ?? SLICE.count;
    batches.add(payload);
    try {
      for (let from = 0; from < messages.length && payload.isRunning() && !payload.isStale();) {
        const slice = first(messages.slice(from, from + most), SLICE, ({ value }) => value?.length ?? 0);
        from += slice.length;
        if (!(await collector.handle(slice.map((message) => fromKafka(topic, partition, message))))) break;
        payload.resolveOffset(slice.at(-1)!.offset);
      }
    } finally {
      batches.delete(payload);
    }
    if (this.left) return collector.flush();
    try {
      await payload.heartbeat();
    } catch (error) {
      // The group is rebalancing: what is handled is committed first, what is not is somebody's to fetch again.
      await collector.flush();
      throw error;
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
