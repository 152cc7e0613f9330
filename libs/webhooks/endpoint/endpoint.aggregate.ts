import { aggregate } from '#kernel';
import { endpointDecider } from './endpoint.decider';
import { endpointEvents } from './endpoint.events';

export const endpointAggregate = aggregate({
  category: 'webhook_endpoint',
  decider: endpointDecider,
  events: endpointEvents,
});
