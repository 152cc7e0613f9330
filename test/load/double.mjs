// The double of EventStoreDB in a process of its own; tells its address, cuts its connections when it is told `cut`, ends with its parent.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { EventStoreDbDouble } = require('../../dist/libs/event-store/eventstoredb/double/eventstoredb-double.js');

const double = await EventStoreDbDouble.start();
process.send(double.url);
process.on('message', (what) => what === 'cut' && double.cut());
process.on('disconnect', () => process.exit(0));
