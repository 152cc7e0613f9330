import { erasure } from '../journeys/erasure.journey';
import { mainJob } from '../journeys/main-job.journey';
import { onKafka, type Ground } from './ground';
import { KafkaNode } from './kafka';
import { resilience } from './resilience.stories';

const NAME = `PostgreSQL and Apache Kafka ${KafkaNode.version}`;

const opened: Ground[] = [];
const env = async (): Promise<Record<string, string>> => {
  const ground = await onKafka();
  opened.push(ground);
  return ground.env;
};
afterAll(async () => void (await Promise.all(opened.map((ground) => ground.close()))));

mainJob(NAME, env);
erasure(NAME, env);

resilience(NAME, onKafka);
