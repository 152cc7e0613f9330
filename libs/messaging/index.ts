export * from './port/bus';
export type { Published } from './outbox/outbox';
export { PostgresBus } from './postgres/postgres-bus';
export { deadLetters } from './postgres/dead-letters';
