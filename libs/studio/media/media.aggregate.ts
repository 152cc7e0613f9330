import { aggregate } from '#kernel';
import { mediaDecider } from './media.decider';
import { mediaEvents } from './media.events';

export const mediaAggregate = aggregate({
  category: 'media',
  decider: mediaDecider,
  events: mediaEvents,
});
