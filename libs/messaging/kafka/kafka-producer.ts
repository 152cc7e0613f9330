import {
  CompressionTypes,
  KafkaJSNonRetriableError,
  Partitioners,
  type Kafka,
  type Producer,
  type RecordMetadata,
} from 'kafkajs';
import { grouped } from '#kernel';
import { Publisher } from '../outbox/publisher';
import { isMissingTopic, isTooLarge } from './kafka-faults';
import { sizeOf, type Outgoing } from './kafka-wire';
import { abandon, atMost, CLOSE_MS, connected, unlessSilent } from './patience';

/** Brokers refuse a record batch over 1 MiB by default, and a send may be all of one partition. One that is set to less is found out. */
const MOST_BYTES = 800_000;
/** A message so large is worth compressing; for small ones the CPU of gzip costs more than the wire. */
const LARGE_BYTES = 8_192;

/** A producer of kafkajs, used until a send fails. */
interface Sender {
  readonly producer: Producer;
  /** Partitions that the send under way is for. */
  readonly meant: Set<string>;
  /** It has failed: what kafkajs would try again goes with another one. */
  isOver: boolean;
}

/**
 * Idempotent, acks from all replicas, one send under way at a time: kafkajs does not keep the order of sends that overlap
 * (kafkajs #598), and a retry of one would land behind the next.
 */
export class KafkaProducer {
  private readonly publisher = new Publisher<Outgoing>((messages) => this.write(messages));
  private sender: Promise<Sender> | undefined;
  private mostBytes = MOST_BYTES;

  constructor(
    private readonly kafka: Kafka,
    /** What it knows of its topics is asked for again after so long. */
    private readonly metadataAgeMs: number,
    private readonly makeAnew: (topics: readonly string[]) => Promise<void>,
  ) {}

  publish(messages: readonly Outgoing[]): Promise<void> {
    return this.publisher.publish(messages);
  }

  /** What is on its way gets there, unless the brokers are away: kafkajs asks them for minutes. */
  close(): Promise<void> {
    return atMost(CLOSE_MS, this.goodbye());
  }

  private async goodbye(): Promise<void> {
    await this.publisher.settled();
    await (await this.sender)?.producer.disconnect();
  }

  private async write(messages: readonly Outgoing[]): Promise<void> {
    for (let rest = messages; rest.length > 0;) {
      const { chunk, bytes } = firstOf(rest, this.mostBytes);
      try {
        await this.send(chunk);
        rest = rest.slice(chunk.length);
      } catch (error) {
        if (!isTooLarge(error)) throw error;
        // One that is too large by itself says nothing of how many others fit.
        this.mostBytes = chunk.length > 1 ? bytes / 2 : MOST_BYTES;
        if (chunk.length === 1) throw error;
      }
    }
  }

  private async send(messages: readonly Outgoing[]): Promise<void> {
    const sender = await (this.sender ??= this.connect());
    sender.meant.clear();
    const sending = sendBatch(sender.producer, messages);
    try {
      checkAll(sender.meant, await unlessSilent(sender.producer, sending));
    } catch (error) {
      // Its sequence numbers may no longer be the broker's: the next send begins with a new producer id.
      this.sender = undefined;
      sender.isOver = true;
      abandon(sender.producer, sending);
      if (isMissingTopic(error)) await this.makeAnew([...new Set(messages.map(({ topic }) => topic))]);
      throw error;
    }
  }

  private async connect(): Promise<Sender> {
    const meant = new Set<string>();
    const producer = this.kafka.producer({
      // Asked for each message at each try of a send.
      createPartitioner: () => {
        const choose = Partitioners.DefaultPartitioner();
        return (of) => {
          if (sender.isOver) throw new KafkaJSNonRetriableError('The messages go with another producer');
          const partition = choose(of);
          meant.add(`${of.topic}/${partition}`);
          return partition;
        };
      },
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: this.metadataAgeMs,
    });
    const sender: Sender = { producer, meant, isOver: false };
    try {
      await connected(producer);
      return sender;
    } catch (error) {
      this.sender = undefined;
      throw error;
    }
  }
}

/**
 * kafkajs 2.2.4 sends nothing more, when it tries again, to a broker that has answered before: what is of a partition whose lead went there in
 * between goes nowhere, and nobody hears of it but by its missing among the answers.
 */
function checkAll(meant: ReadonlySet<string>, answers: readonly RecordMetadata[]): void {
  const told = new Set(answers.map(({ topicName, partition }) => `${topicName}/${partition}`));
  const untold = [...meant].filter((place) => !told.has(place));
  if (untold.length > 0) throw new Error(`Kafka has not answered for ${untold.join(', ')}`);
}

async function sendBatch(producer: Producer, messages: readonly Outgoing[]): Promise<RecordMetadata[]> {
  const byTopic = grouped(messages, ({ topic }) => topic);
  const isLarge = messages.some(({ value }) => (value?.length ?? 0) > LARGE_BYTES);
  return producer.sendBatch({
    acks: -1,
    compression: isLarge ? CompressionTypes.GZIP : CompressionTypes.None,
    topicMessages: [...byTopic].map(([topic, same]) => ({ topic, messages: [...same] })),
  });
}

/** As many as fit, one at least. */
function firstOf(
  messages: readonly Outgoing[],
  mostBytes: number,
): { readonly chunk: readonly Outgoing[]; readonly bytes: number } {
  let bytes = 0;
  for (const [at, message] of messages.entries()) {
    const size = sizeOf(message);
    if (bytes + size > mostBytes && at > 0) return { chunk: messages.slice(0, at), bytes };
    bytes += size;
  }
  return { chunk: messages, bytes };
}
