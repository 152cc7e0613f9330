import { busConformance } from '../conformance/bus.conformance';
import { MemoryBus, MemoryLog } from './memory-bus';

busConformance('MemoryBus', async () => {
  const log = new MemoryLog();
  return {
    open: async () => new MemoryBus(log),
    kill: (bus) => (bus as MemoryBus).kill(),
    close: async () => undefined,
  };
});
