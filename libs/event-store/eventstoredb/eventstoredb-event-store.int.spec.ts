import { eventStoreConformance } from '../conformance/event-store.conformance';
import { EventStoreDbDouble } from './double/eventstoredb-double';
import { EventStoreDbEventStore } from './eventstoredb-event-store';

eventStoreConformance('EventStoreDB (double)', async () => {
  const double = await EventStoreDbDouble.start();
  const store = new EventStoreDbEventStore(double.url);
  return {
    store,
    reopen: async () => new EventStoreDbEventStore(double.url),
    async close() {
      await store.close();
      await double.stop();
    },
  };
});

const url = process.env['ESDB_URL'];
if (url) {
  eventStoreConformance('EventStoreDB (ESDB_URL)', async () => {
    const store = new EventStoreDbEventStore(url);
    return { store, reopen: async () => new EventStoreDbEventStore(url), close: () => store.close() };
  });
}
