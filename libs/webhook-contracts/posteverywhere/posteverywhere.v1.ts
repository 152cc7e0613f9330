import { Type } from '@sinclair/typebox';
import { coreTypes, shape, type CoreMessage, type SettledFacts } from '#public-messages';
import { HOUR, MINUTE, type Contract } from '../contract';
import { eventId, moment, named } from '../envelope';
import { inOwnWords, ownTypes, wordsFor, type OwnType, type Word } from '../own-words';

const name = () => Type.String();
const count = () => Type.Integer({ minimum: 0 });
const failure = shape({ destinationId: name(), platform: name(), error: name() });

const types = {
  'post.published': {
    description: 'A post was published to one destination.',
    data: shape({ postId: name(), destinationId: name(), platform: name(), url: name(), platformPostId: name() }),
  },
  'post.failed': {
    description: 'A post settled and failed on one or more destinations, after every retry.',
    data: shape({ postId: name(), published: count(), total: count(), failed: Type.Array(failure, { minItems: 1 }) }),
  },
  'media.processed': coreTypes['media.processed'],
  'account.disconnected': coreTypes['account.disconnected'],
  'webhook.test': coreTypes['webhook.test'],
} satisfies Record<string, OwnType>;

const say = wordsFor(types);

/** PostEverywhere: the common envelope, told per destination. Its golden files are in test/contracts/posteverywhere.v1. */
export const posteverywhere: Contract = {
  name: 'posteverywhere',
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
      'post.destination_published': ({ postId, destinationId, platform, url, platformPostId }) => [
        say('post.published', { postId, destinationId, platform, url, platformPostId }),
      ],
      'post.partial': ({ postId }, message) => failedOf(postId, message),
      'post.failed': ({ postId }, message) => failedOf(postId, message),
      'media.processed': (data) => [say('media.processed', data)],
      'account.disconnected': (data) => [say('account.disconnected', data)],
      'webhook.test': (data) => [say('webhook.test', data)],
    },
    ({ type, data }, id, { createdAt }) =>
      `{"id":"${id}","type":"${type}","createdAt":"${createdAt}","data":${JSON.stringify(data)}}`,
  ),
  headers: () => ({}),
  ...ownTypes(types, (type, data) => shape({ id: eventId(), type: named(type), createdAt: moment(), data })),
};

/** After a retry only that round's failures are announced; when it had none there is nothing to say. */
function failedOf(postId: string, { id, factsJson }: CoreMessage): readonly Word[] {
  if (factsJson === undefined) throw new Error(`Message ${id} lacks the facts of its settlement`);
  const { published, total, failed } = JSON.parse(factsJson) as SettledFacts;
  return failed.length === 0 ? [] : [say('post.failed', { postId, published, total, failed: [...failed] })];
}
