import setUpPostgres from '../../libs/testing/global-setup';
import { KafkaNode } from './kafka';

/** What is fetched from elsewhere is fetched before the first suite: no test's time goes by meanwhile. */
export default async function setUp(): Promise<void> {
  await KafkaNode.install();
  await setUpPostgres();
}
