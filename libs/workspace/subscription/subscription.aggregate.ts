import { aggregate } from '#kernel';
import { subscriptionDecider } from './subscription.decider';
import { subscriptionEvents } from './subscription.events';

export const subscriptionAggregate = aggregate({
  category: 'subscription',
  decider: subscriptionDecider,
  events: subscriptionEvents,
});
