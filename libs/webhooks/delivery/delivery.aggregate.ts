import { aggregate } from '#kernel';
import { deliveryDecider } from './delivery.decider';
import { deliveryEvents } from './delivery.events';

export const deliveryAggregate = aggregate({
  category: 'webhook_delivery',
  idPrefix: 'dlv',
  decider: deliveryDecider,
  events: deliveryEvents,
});
