import { eventStoreConformance } from '../conformance/event-store.conformance';
import { MemoryEventStore } from './memory-event-store';

eventStoreConformance('memory', async () => {
  const store = new MemoryEventStore();
  return { store, close: () => store.close() };
});
