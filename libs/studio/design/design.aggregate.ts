import { aggregate } from '#kernel';
import { designDecider } from './design.decider';
import { designEvents } from './design.events';

export const designAggregate = aggregate({
  category: 'design',
  decider: designDecider,
  events: designEvents,
});
