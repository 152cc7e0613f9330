import { moving } from '../journeys/moving.journey';
import { KafkaNode } from './kafka';

let kafka: KafkaNode | undefined;
moving(`Apache Kafka ${KafkaNode.version}`, async () => (kafka = await KafkaNode.start()).url);
afterAll(() => kafka?.remove());
