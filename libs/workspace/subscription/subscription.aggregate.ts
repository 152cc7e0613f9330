import { aggregate } from '#kernel';
import { subscriptionDecider } from './subscription.decider';
import { subscriptionEvents } from './subscription.events';

export const subscriptionAggregate = aggregate({
  category: 'subscription',
  idPrefix: 'ws',
  decider: subscriptionDecider,
  events: subscriptionEvents,
});
