import { aggregate } from '#kernel';
import { accountDecider } from './account.decider';
import { accountEvents } from './account.events';

export const accountAggregate = aggregate({
  category: 'account',
  decider: accountDecider,
  events: accountEvents,
});
