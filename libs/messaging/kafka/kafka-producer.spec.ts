import type {
  ICustomPartitioner,
  Kafka,
  PartitionMetadata,
  Producer,
  ProducerBatch,
  ProducerConfig,
  RecordMetadata,
} from 'kafkajs';
import { numbered } from '../conformance/ledger';
import { KafkaProducer } from './kafka-producer';

/** Tells who made the last producer that a request of it was not answered. */
let fallSilent: (of: { payload: { apiName: string; broker: string } }) => void = () => undefined;

/** A producer whose sends come to what is told. */
function producerOf(
  sendBatch: (batch: ProducerBatch, partitionOf: ReturnType<ICustomPartitioner>) => Promise<RecordMetadata[]>,
  life: string[] = [],
): KafkaProducer {
  const make = ({ createPartitioner }: ProducerConfig): Producer => {
    const partitionOf = createPartitioner!();
    const send = (batch: ProducerBatch) => sendBatch(batch, partitionOf);
    return {
      connect: async () => void life.push('connected'),
      disconnect: async () => void life.push('disconnected'),
      sendBatch: send,
      events: { REQUEST_TIMEOUT: 'silence' },
      on: (_: string, tell: typeof fallSilent) => {
        fallSilent = tell;
        return () => undefined;
      },
    } as unknown as Producer;
  };
  return new KafkaProducer({ producer: make } as Kafka, 30_000, async () => undefined);
}

describe('a producer to Kafka', () => {
  it('waits for brokers that answer, and for a moment only for those that do not', async () => {
    let answer: () => void = () => undefined;
    const producer = producerOf(() => new Promise((done) => (answer = () => done([]))));
    const published = producer.publish([numbered('test.v1', 'a', 1)]);
    await new Promise(setImmediate);
    const closed = producer.close();
    answer();
    await Promise.all([published, closed]);

    const silent = producerOf(() => new Promise(() => undefined));
    void silent.publish([numbered('test.v1', 'a', 1)]);
    await new Promise(setImmediate);
    await silent.close();
  });

  it('takes nothing for sent of which no broker has told', async () => {
    const topic = 'test.v1';
    const partitionMetadata = [0, 1].map((partitionId) => ({ partitionId, leader: 1 }) as PartitionMetadata);
    let untold = 1;
    const producer = producerOf(async ({ topicMessages }, partitionOf) => {
      const partitions = topicMessages![0]!.messages.map((message) =>
        partitionOf({ topic, partitionMetadata, message }),
      );
      const told = [...new Set(partitions)].slice(untold);
      return told.map((partition) => ({ topicName: topic, partition, errorCode: 0 }));
    });
    const messages = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => numbered(topic, key, 1));
    await expect(producer.publish(messages)).rejects.toThrow(/^Kafka has not answered for test\.v1\/[01]$/);
    untold = 0;
    await producer.publish(messages);
  });

  it('begins anew after a send that failed, and waits no more for what was in that one', async () => {
    const life: string[] = [];
    const producer = producerOf(async ({ topicMessages }, partitionOf) => {
      const { topic, messages } = topicMessages![0]!;
      const partitionMetadata = [{ partitionId: 0, leader: 1 } as PartitionMetadata];
      for (const message of messages) partitionOf({ topic, partitionMetadata, message });
      if (topic === 'gone.v1') throw new Error('away');
      return [{ topicName: topic, partition: 0, errorCode: 0 }];
    }, life);
    await expect(producer.publish([numbered('gone.v1', 'a', 1)])).rejects.toThrow('away');
    await producer.publish([numbered('test.v1', 'a', 1)]);
    expect(life).toEqual(['connected', 'disconnected', 'connected']);
  });

  it('gives up a send that a broker leaves unanswered, begins anew, and lets nobody try it again', async () => {
    const life: string[] = [];
    const tries: (() => void)[] = [];
    const producer = producerOf(async ({ topicMessages }, partitionOf) => {
      const { topic, messages } = topicMessages![0]!;
      const partitionMetadata = [{ partitionId: 0, leader: 1 } as PartitionMetadata];
      const choose = () => messages.forEach((message) => partitionOf({ topic, partitionMetadata, message }));
      choose();
      if (tries.length === 0) await new Promise<void>((again) => tries.push(again)).then(choose);
      return [{ topicName: topic, partition: 0, errorCode: 0 }];
    }, life);
    const message = numbered('test.v1', 'a', 1);
    const published = producer.publish([message]);
    await new Promise(setImmediate);
    fallSilent({ payload: { apiName: 'Produce', broker: 'a:1' } });
    await expect(published).rejects.toThrow('No answer from a:1 to Produce');
    await producer.publish([message]);
    expect(life).toEqual(['connected', 'connected']);
    // What kafkajs does when it waited long enough: it asks for the partitions again, and closes when it is told no.
    tries[0]!();
    await new Promise(setImmediate);
    expect(life).toEqual(['connected', 'connected', 'disconnected']);
  });

  it('sends by halves what a broker finds too large, from then on', async () => {
    const sizes: number[] = [];
    const producer = producerOf(async ({ topicMessages }) => {
      const { length } = topicMessages![0]!.messages;
      sizes.push(length);
      if (length > 2) throw Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' });
      return [];
    });
    const messages = Array.from({ length: 8 }, (_, n) => numbered('test.v1', 'a', n + 1));
    await producer.publish(messages);
    expect(sizes).toEqual([8, 4, 2, 2, 2, 2]);
    sizes.splice(0);
    await producer.publish(messages);
    expect(sizes).toEqual([2, 2, 2, 2]);
  });

  it('gives up a message that is too large by itself, and is not slower for it afterwards', async () => {
    let most = 0;
    const sizes: number[] = [];
    const producer = producerOf(async ({ topicMessages }) => {
      const { length } = topicMessages![0]!.messages;
      sizes.push(length);
      if (length > most) throw Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' });
      return [];
    });
    const messages = Array.from({ length: 8 }, (_, n) => numbered('test.v1', 'a', n + 1));
    await expect(producer.publish(messages)).rejects.toThrow('too large');
    expect(sizes.splice(0)).toEqual([8, 4, 2, 1]);
    most = 8;
    await producer.publish(messages);
    expect(sizes).toEqual([8]);
  });
});
