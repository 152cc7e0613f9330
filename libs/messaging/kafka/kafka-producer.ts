import { CompressionTypes, type Kafka, type Producer } from 'kafkajs';
import { grouped } from '#kernel';
import { Publisher } from '../outbox/publisher';
import type { BusMessage } from '../port/bus';
import { sizeOf, toKafka } from './kafka-wire';

/** Brokers refuse a record batch over 1 MiB by default, and a send may be all of one partition. */
const MOST_BYTES = 800_000;
/** A message so large is worth compressing; for small ones the CPU of gzip costs more than the wire. */
const LARGE_BYTES = 8_192;

/**
 * Idempotent, acks from all replicas, one send under way at a time: kafkajs does not keep the order of sends that overlap
 * (kafkajs #598), and a retry of one would land behind the next.
 */
export class KafkaProducer {
  private readonly publisher = new Publisher((messages) => this.write(messages));
  private producer: Promise<Producer> | undefined;

  constructor(private readonly kafka: Kafka) {}

  publish(messages: readonly BusMessage[]): Promise<void> {
    return this.publisher.publish(messages);
  }

  async close(): Promise<void> {
    await this.publisher.settled();
    await (await this.producer)?.disconnect();
  }

  private async write(messages: readonly BusMessage[]): Promise<void> {
    const producer = await (this.producer ??= this.connect());
    try {
      for (const chunk of chunks(messages)) await send(producer, chunk);
    } catch (error) {
      // Its sequence numbers may no longer be the broker's: the next send begins with a new producer id.
      this.producer = undefined;
      await producer.disconnect();
      throw error;
    }
  }

  private async connect(): Promise<Producer> {
    const producer = this.kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false });
    try {
      await producer.connect();
      return producer;
    } catch (error) {
      this.producer = undefined;
      throw error;
    }
  }
}

async function send(producer: Producer, messages: readonly BusMessage[]): Promise<void> {
  const byTopic = grouped(messages, ({ topic }) => topic);
  const isLarge = messages.some(({ value }) => value.length > LARGE_BYTES);
  await producer.sendBatch({
    acks: -1,
    compression: isLarge ? CompressionTypes.GZIP : CompressionTypes.None,
    topicMessages: [...byTopic].map(([topic, same]) => ({ topic, messages: same.map(toKafka) })),
  });
}

function* chunks(messages: readonly BusMessage[]): Generator<readonly BusMessage[]> {
  let from = 0;
  let bytes = 0;
  for (const [at, message] of messages.entries()) {
    const size = sizeOf(message);
    if (bytes + size > MOST_BYTES && at > from) {
      yield messages.slice(from, at);
      [from, bytes] = [at, 0];
    }
    bytes += size;
  }
  if (from < messages.length) yield messages.slice(from);
}
