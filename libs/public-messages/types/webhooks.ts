import { Type } from '@sinclair/typebox';
import { coreType, count, flag, id, list, nullable, oneOf, shape, text, time } from '../core-type';

export const webhooks = {
  'webhook.endpoint_disabled': coreType({
    topic: 'webhooks',
    description: 'A webhook endpoint gets nothing more until it is enabled. Not sent to that endpoint.',
    data: shape({ endpointId: id('whe'), reason: oneOf('manual', 'gone', 'failing') }),
    example: { endpointId: 'whe_1', reason: 'gone' },
    exampleKey: 'whe_1',
  }),
  'webhook.delivery_parked': coreType({
    topic: 'webhooks',
    description: 'A delivery failed its last retry and waits for a replay. Not sent to the endpoint it was for.',
    data: shape({ endpointId: id('whe'), deliveryId: id('dlv'), eventType: text(), attempts: count() }),
    example: { endpointId: 'whe_1', deliveryId: 'dlv_1', eventType: 'post.published', attempts: 10 },
    exampleKey: 'dlv_1',
  }),
  'webhook.test': coreType({
    topic: 'webhooks',
    description: 'A sample, sent on request to see that an endpoint works.',
    data: shape({ message: text() }),
    example: { message: 'It works.' },
    exampleKey: 'test',
    isSample: true,
  }),
};

const secret = () => shape({ id: text(), box: text('Encrypted'), createdAt: time(), expiresAt: nullable(time()) });

const config = () =>
  shape({
    targetUrl: text(),
    eventTypes: list(text()),
    description: nullable(text()),
    ordered: flag(),
    rateLimitPerSecond: nullable(Type.Number()),
    latestOnly: flag(),
    contract: text(),
    startFrom: nullable(text()),
    status: oneOf('enabled', 'disabled'),
    disabledReason: nullable(oneOf('manual', 'gone', 'failing')),
    createdAt: time(),
    secrets: list(secret()),
  });

const exampleConfig = {
  targetUrl: 'https://example.com/hooks',
  eventTypes: ['post.*'],
  description: null,
  ordered: false,
  rateLimitPerSecond: null,
  latestOnly: false,
  contract: 'core',
  startFrom: null,
  status: 'enabled' as const,
  disabledReason: null,
  createdAt: '2026-04-22T14:00:00.000Z',
  secrets: [{ id: 'sec_1', box: 'v1.encrypted', createdAt: '2026-04-22T14:00:00.000Z', expiresAt: null }],
};

/** Not webhooks: how the delivery service learns of endpoints, replays and discards. */
export const webhooksInternal = {
  'webhook.endpoint_changed': coreType({
    topic: 'webhooks',
    description: 'An endpoint was changed; its whole configuration after the change. For the delivery service only.',
    data: shape({
      endpointId: id('whe'),
      change: oneOf('registered', 'updated', 'enabled', 'disabled', 'secret_rotated', 'deleted'),
      config: config(),
    }),
    example: { endpointId: 'whe_1', change: 'registered', config: exampleConfig },
    exampleKey: 'whe_1',
  }),
  'webhook.replay_requested': coreType({
    topic: 'webhooks',
    description:
      'Deliveries of an endpoint made in [since, until) are to be sent again. For the delivery service only.',
    data: shape({
      endpointId: id('whe'),
      jobId: text(),
      since: time(),
      until: nullable(time()),
      status: nullable(text()),
    }),
    example: { endpointId: 'whe_1', jobId: 'job_1', since: '2026-04-22T14:00:00.000Z', until: null, status: 'parked' },
    exampleKey: 'whe_1',
  }),
  'webhook.delivery_replay_requested': coreType({
    topic: 'webhooks',
    description: 'One delivery is to be sent again. For the delivery service only.',
    data: shape({ endpointId: id('whe'), deliveryId: id('dlv') }),
    example: { endpointId: 'whe_1', deliveryId: 'dlv_1' },
    exampleKey: 'dlv_1',
  }),
  'webhook.delivery_discarded': coreType({
    topic: 'webhooks',
    description: 'One delivery is not to be sent any more. For the delivery service only.',
    data: shape({ endpointId: id('whe'), deliveryId: id('dlv') }),
    example: { endpointId: 'whe_1', deliveryId: 'dlv_1' },
    exampleKey: 'dlv_1',
  }),
};
