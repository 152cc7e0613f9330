// The double of EventStoreDB in a process of its own; tells its address, ends with its parent.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { EventStoreDbDouble } = require('../../dist/libs/event-store/eventstoredb/double/eventstoredb-double.js');

const double = await EventStoreDbDouble.start();
process.send(double.url);
process.on('disconnect', () => process.exit(0));
