export * from './port/bus';
export { PARTITIONS, partitionOf, writeOutbox, type Published } from './outbox/outbox';
export { maintainBus, type Retention } from './outbox/retention';
export { PostgresBus, type PostgresBusOptions } from './postgres/postgres-bus';
export { deadLetters, type DeadLetter } from './postgres/dead-letters';
export { MemoryBus } from './memory/memory-bus';
