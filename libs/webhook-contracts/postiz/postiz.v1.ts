import { Type } from '@sinclair/typebox';
import { coreTypes, shape } from '#public-messages';
import { HOUR, MINUTE, type Contract } from '../contract';
import { eventId, moment, named } from '../envelope';
import { inOwnWords, ownTypes, wordsFor, type OwnType } from '../own-words';

const name = () => Type.String();
const count = () => Type.Integer({ minimum: 0 });

const types = {
  PostScheduled: {
    description: 'A post was queued for publication; one message per platform.',
    data: shape({ post_id: name(), scheduled_time: Type.String({ format: 'date-time' }), platform: name() }),
  },
  PostPublished: {
    description: 'A post was published to one platform.',
    data: shape({ post_id: name(), platform: name(), published_url: name() }),
  },
  PostFailed: {
    description: 'The publication of a post to one platform failed for good, after every retry.',
    data: shape({ post_id: name(), platform: name(), error_message: name() }),
  },
  AccountConnected: {
    description: 'A social media account was linked, by the person or key `user_id`.',
    data: shape({ account_id: name(), platform: name(), user_id: name() }),
  },
  CampaignCompleted: {
    description: 'Every post of a campaign was processed.',
    data: shape({ campaign_id: name(), total_posts: count(), success_count: count() }),
  },
  'webhook.test': { description: coreTypes['webhook.test'].description, data: shape({ message: name() }) },
} satisfies Record<string, OwnType>;

const say = wordsFor(types);

/** Postiz domain events: snake_case, one message per destination. Its golden files are in test/contracts/postiz.v1. */
export const postiz: Contract = {
  name: 'postiz',
  version: 1,
  types: Object.keys(types),
  signature: 'standard-webhooks',
  retryDelaysSeconds: [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR],
  jitter: 0.1,
  timeoutSeconds: 15,
  parkedRetentionDays: 30,
  idPerDelivery: false,
  contentType: 'application/json',
  render: inOwnWords(
    {
      'post.scheduled': ({ postId, scheduledAt, platforms }) =>
        platforms.map((platform) => say('PostScheduled', { post_id: postId, scheduled_time: scheduledAt, platform })),
      'post.destination_published': ({ postId, platform, url }) => [
        say('PostPublished', { post_id: postId, platform, published_url: url }),
      ],
      'post.destination_failed': ({ postId, platform, error }) => [
        say('PostFailed', { post_id: postId, platform, error_message: error }),
      ],
      'account.connected': ({ accountId, platform }, { actor }) => [
        say('AccountConnected', { account_id: accountId, platform, user_id: actor }),
      ],
      'campaign.completed': ({ campaignId, totalPosts, successCount }) => [
        say('CampaignCompleted', { campaign_id: campaignId, total_posts: totalPosts, success_count: successCount }),
      ],
      'webhook.test': ({ message }) => [say('webhook.test', { message })],
    },
    ({ type, data }, id, { createdAt }) =>
      `{"event_id":"${id}","event":"${type}","occurred_at":"${createdAt}","payload":${JSON.stringify(data)}}`,
  ),
  headers: () => ({}),
  ...ownTypes(types, (type, data) =>
    shape({ event_id: eventId(), event: named(type), occurred_at: moment(), payload: data }),
  ),
};
