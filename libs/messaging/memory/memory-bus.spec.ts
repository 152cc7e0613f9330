import { busConformance } from '../conformance/bus.conformance';
import { MemoryBus } from './memory-bus';
import { MemoryLog } from './memory-log';

busConformance('MemoryBus', async () => {
  const log = new MemoryLog();
  return {
    open: async () => new MemoryBus(log),
    kill: (bus) => (bus as MemoryBus).kill(),
    close: async () => undefined,
  };
});
