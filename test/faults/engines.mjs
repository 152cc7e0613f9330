// Apache Kafka and the double of EventStoreDB beside PostgreSQL, for a run that asks for them.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaNode } from '../engines/kafka-node.mjs';
import { dist, root } from './stage.mjs';

export async function openEngines({ kafka: onKafka, store: onStore }, database) {
  const kafka = onKafka ? await (await kafkaNode()).start() : undefined;
  const store = onStore ? await startStore() : undefined;
  return {
    database,
    kafka,
    store,
    env: { ...(kafka && { BUS_URL: kafka.url }), ...(store && { EVENT_STORE_URL: store.url }) },
    readBus: () => readBus(kafka),
    async close() {
      store?.close();
      await kafka?.remove();
    },
  };
}

/** The double in a process of its own: it keeps its log in memory, so it can be frozen and cut off, not killed. */
async function startStore() {
  const child = fork(join(root, 'test/load/double.mjs'));
  const url = await new Promise((told) => child.once('message', told));
  return {
    url,
    tell: (what) => child.send(what),
    freeze: (isFrozen) => child.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    close: () => child.disconnect(),
  };
}

/** Every message of every topic, each partition in its order. */
async function readBus(node) {
  const { TOPICS } = dist('libs/public-messages/index.js');
  const client = new Kafka({ brokers: [`127.0.0.1:${node.port}`], logLevel: logLevel.NOTHING });
  const topics = Object.values(TOPICS);
  const admin = client.admin();
  await admin.connect();
  let count = 0;
  for (const topic of topics)
    for (const { high, low } of await admin.fetchTopicOffsets(topic)) count += Number(high) - Number(low);
  await admin.disconnect();
  const said = [];
  const consumer = client.consumer({ groupId: 'reader-of-all' });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await new Promise((done) => {
    if (count === 0) done();
    void consumer.run({
      eachMessage: async ({ topic, message: { key, headers } }) => {
        const [position, index] = String(headers['postledger-position']).split('.').map(Number);
        said.push({
          topic,
          key: String(key),
          id: String(headers.ce_id),
          workspace: String(headers.ce_source),
          place: position + index / 10_000,
        });
        if (said.length >= count) done();
      },
    });
  });
  await consumer.disconnect();
  return said;
}
