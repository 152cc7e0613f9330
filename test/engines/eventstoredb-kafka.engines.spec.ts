import { erasure } from '../journeys/erasure.journey';
import { mainJob } from '../journeys/main-job.journey';
import { onDoubleAndKafka, onNodeAndKafka, type Ground } from './ground';
import { KafkaNode } from './kafka';
import { resilience } from './resilience.stories';

const node = process.env['ESDB_URL'];
const grounds = {
  [`the double of EventStoreDB and Apache Kafka ${KafkaNode.version}`]: onDoubleAndKafka,
  ...(node && { [`the node at ESDB_URL and Apache Kafka ${KafkaNode.version}`]: () => onNodeAndKafka(node) }),
};

const opened: Ground[] = [];
afterAll(async () => void (await Promise.all(opened.map((ground) => ground.close()))));

for (const [name, open] of Object.entries(grounds)) {
  // First, because a node keeps what a suite leaves: this one leaves posts, the main job hundreds of endpoints.
  resilience(name, open, { double: open === onDoubleAndKafka });
  const env = async (): Promise<Record<string, string>> => {
    const ground = await open();
    opened.push(ground);
    return ground.env;
  };
  erasure(name, env);
  mainJob(name, env);
}
