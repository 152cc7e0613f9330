import { aggregate } from '#kernel';
import { operationDecider } from './operation.decider';
import { operationEvents } from './operation.events';

export const operationAggregate = aggregate({
  category: 'operation',
  decider: operationDecider,
  events: operationEvents,
});
