import setUpPostgres from '../../libs/testing/global-setup';
import { installKafka } from './install-kafka';

/** What is fetched from elsewhere is fetched before the first suite: no test's time goes by meanwhile. */
export default async function setUp(): Promise<void> {
  installKafka();
  await setUpPostgres();
}
