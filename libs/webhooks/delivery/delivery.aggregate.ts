import { aggregate } from '#kernel';
import { deliveryDecider } from './delivery.decider';
import { deliveryEvents } from './delivery.events';

export const deliveryAggregate = aggregate({
  category: 'webhook_delivery',
  decider: deliveryDecider,
  events: deliveryEvents,
});
