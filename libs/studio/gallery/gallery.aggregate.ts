import { aggregate } from '#kernel';
import { galleryDecider } from './gallery.decider';
import { galleryEvents } from './gallery.events';

export const galleryAggregate = aggregate({
  category: 'gallery',
  decider: galleryDecider,
  events: galleryEvents,
});
