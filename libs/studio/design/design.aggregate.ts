import { aggregate } from '#kernel';
import { designDecider } from './design.decider';
import { designEvents } from './design.events';

export const designAggregate = aggregate({
  category: 'design',
  idPrefix: 'dsg',
  decider: designDecider,
  events: designEvents,
});
