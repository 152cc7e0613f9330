import { aggregate } from '#kernel';
import { campaignDecider } from './campaign.decider';
import { campaignEvents } from './campaign.events';

export const campaignAggregate = aggregate({
  category: 'campaign',
  decider: campaignDecider,
  events: campaignEvents,
});
