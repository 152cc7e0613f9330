import { aggregate } from '#kernel';
import { assetDecider } from './asset.decider';
import { assetEvents } from './asset.events';

export const assetAggregate = aggregate({
  category: 'asset',
  idPrefix: 'ast',
  decider: assetDecider,
  events: assetEvents,
});
