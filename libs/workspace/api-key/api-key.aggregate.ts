import { aggregate } from '#kernel';
import { apiKeyDecider } from './api-key.decider';
import { apiKeyEvents } from './api-key.events';

export const apiKeyAggregate = aggregate({
  category: 'api_key',
  decider: apiKeyDecider,
  events: apiKeyEvents,
});
