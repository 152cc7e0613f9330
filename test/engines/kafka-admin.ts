import type { Admin, Kafka as KafkaClient } from 'kafkajs';
import { Kafka } from 'kafkajs';
import { eventually } from '#testing';
import type { KafkaNode } from './kafka';

/** Makes the first of `nodes` leader of every partition of the topics, the others its replicas, and waits until it is so. */
export async function lead(anyNode: KafkaNode, topics: readonly string[], nodes: readonly KafkaNode[]): Promise<void> {
  const replicas = nodes.map(({ plan }) => plan.id);
  await withAdmin(new Kafka({ brokers: [`127.0.0.1:${anyNode.port}`], logLevel: 0 }), async (admin) => {
    const described = () => admin.fetchTopicMetadata({ topics: [...topics] }).then(({ topics }) => topics);
    await admin.alterPartitionReassignments({
      topics: (await described()).map(({ name, partitions }) => ({
        topic: name,
        partitionAssignment: partitions.map(({ partitionId }) => ({ partition: partitionId, replicas })),
      })),
    });
    await eventually(
      async () => {
        for (const { partitions } of await described())
          for (const { leader, isr } of partitions) {
            expect(leader).toBe(replicas[0]);
            expect([...isr].sort()).toEqual([...replicas].sort());
          }
      },
      { within: 120_000, every: 100 },
    );
  });
}

export interface Said {
  readonly partition: number;
  readonly key: string;
  readonly id: string;
  /** Of the event in the log, and the message's index among those of its event. */
  readonly place: string;
}

/** Every message of a topic up to its present end, each partition in its order, as a consumer of others sees them. */
export async function readAll(kafka: KafkaClient, topic: string): Promise<Said[]> {
  const ends = await withAdmin(kafka, (admin) => admin.fetchTopicOffsets(topic));
  const count = ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  const said: Said[] = [];
  const consumer = kafka.consumer({ groupId: `reader-of-all-${topic}` });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ partition, message: { key, headers } }) =>
        void said.push({
          partition,
          key: String(key),
          id: String(headers!['ce_id']),
          place: String(headers!['postledger-position']),
        }),
    });
    await eventually(() => expect(said.length).toBeGreaterThanOrEqual(count), { within: 90_000 });
  } finally {
    await consumer.disconnect();
  }
  return said;
}

async function withAdmin<T>(kafka: KafkaClient, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
