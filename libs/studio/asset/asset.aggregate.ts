import { aggregate } from '#kernel';
import { assetDecider } from './asset.decider';
import { assetEvents } from './asset.events';

export const assetAggregate = aggregate({
  category: 'asset',
  decider: assetDecider,
  events: assetEvents,
});
