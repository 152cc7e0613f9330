import { aggregate } from '#kernel';
import { contentDecider } from './content.decider';
import { contentEvents } from './content.events';

export const contentAggregate = aggregate({
  category: 'content',
  decider: contentDecider,
  events: contentEvents,
});
