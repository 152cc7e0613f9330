export * from './core-message';
export { shape, type CoreTypeDefinition } from './core-type';
export { coreTypes, internalTypes, isCoreType, messageType, type CoreType, type MessageData } from './core-types';
export { aggregates, eventSchemas, upcast, type DomainEvent } from './domain';
export { messagesOf } from './messages-of';
export type { SettledFacts } from './types/posts';
export { asyncApi, asyncApiText } from './asyncapi';
