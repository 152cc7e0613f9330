import { mainJob } from '../journeys/main-job.journey';
import { onKafka, type Ground } from './ground';
import { KafkaNode } from './kafka';
import { resilience } from './resilience.stories';

const NAME = `PostgreSQL and Apache Kafka ${KafkaNode.version}`;

let ground: Ground | undefined;
mainJob(NAME, async () => (ground = await onKafka()).env);
afterAll(() => ground?.close());

resilience(NAME, onKafka);
