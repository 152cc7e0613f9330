import { Kafka, logLevel, type Admin } from 'kafkajs';
import { eventually } from '#testing';
import type { KafkaNode } from './kafka';

/** A client as others have it, which says nothing by itself. */
export const clientOf = (node: KafkaNode): Kafka =>
  new Kafka({ brokers: [`127.0.0.1:${node.port}`], logLevel: logLevel.NOTHING });

/** Asks the brokers themselves. */
export async function withAdmin<T>(node: KafkaNode, ask: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = clientOf(node).admin();
  await admin.connect();
  try {
    return await ask(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Makes the first of `nodes` leader of every partition of the topics, the others its replicas, and waits until it is so. */
export async function lead(anyNode: KafkaNode, topics: readonly string[], nodes: readonly KafkaNode[]): Promise<void> {
  const replicas = nodes.map(({ plan }) => plan.id);
  await withAdmin(anyNode, async (admin) => {
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
export async function readAll(node: KafkaNode, topic: string): Promise<Said[]> {
  const ends = await withAdmin(node, (admin) => admin.fetchTopicOffsets(topic));
  const count = ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  const said: Said[] = [];
  const consumer = clientOf(node).consumer({ groupId: `reader-of-all-${topic}` });
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
