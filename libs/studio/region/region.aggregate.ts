import { aggregate } from '#kernel';
import { regionDecider } from './region.decider';
import { regionEvents } from './region.events';

export const regionAggregate = aggregate({
  category: 'region',
  decider: regionDecider,
  events: regionEvents,
});
