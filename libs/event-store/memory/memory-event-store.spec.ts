import { eventStoreConformance } from '../conformance/event-store.conformance';
import { sealingConformance } from '../conformance/sealing.conformance';
import { MemoryEventStore } from './memory-event-store';

const open = async () => {
  const store = new MemoryEventStore();
  return { store, close: () => store.close() };
};

eventStoreConformance('memory', open);
sealingConformance('memory', open);
