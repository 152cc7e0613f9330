import type { DeliveryEvent, EndpointConfig, EndpointEvent } from '#webhooks';
import type { MessageData } from '../core-types';
import { say, type Mapping, type Said } from '../say';

type Change = MessageData<'webhook.endpoint_changed'>['change'];

/** The delivery service takes any of these as the endpoint's newest state; secrets travel encrypted. */
const changed =
  (change: Change) =>
  ({ endpointId, config }: { endpointId: string; config: EndpointConfig }): readonly Said[] => [
    say(
      'webhook.endpoint_changed',
      { endpointId, change, config: publicConfig(config) },
      { aboutEndpoint: endpointId },
    ),
  ];

export const endpointMessages: Mapping<EndpointEvent> = {
  EndpointRegistered: changed('registered'),
  EndpointUpdated: changed('updated'),
  EndpointEnabled: changed('enabled'),
  EndpointDisabled: (data) => [
    say(
      'webhook.endpoint_disabled',
      { endpointId: data.endpointId, reason: data.reason },
      { aboutEndpoint: data.endpointId },
    ),
    ...changed('disabled')(data),
  ],
  SecretRotated: changed('secret_rotated'),
  EndpointDeleted: changed('deleted'),
  ReplayRequested: ({ endpointId, jobId, since, until, status }) => [
    say('webhook.replay_requested', { endpointId, jobId, since, until, status }, { aboutEndpoint: endpointId }),
  ],
};

export const deliveryMessages: Mapping<DeliveryEvent> = {
  DeliveryParked: ({ endpointId, deliveryId, eventType, attempts }) => [
    say('webhook.delivery_parked', { endpointId, deliveryId, eventType, attempts }, { aboutEndpoint: endpointId }),
  ],
  DeliveryReplayRequested: ({ endpointId, deliveryId }) => [
    say('webhook.delivery_replay_requested', { endpointId, deliveryId }, { aboutEndpoint: endpointId }),
  ],
  DeliveryDiscarded: ({ endpointId, deliveryId }) => [
    say('webhook.delivery_discarded', { endpointId, deliveryId }, { aboutEndpoint: endpointId }),
  ],
};

function publicConfig(config: EndpointConfig): MessageData<'webhook.endpoint_changed'>['config'] {
  const { targetUrl, eventTypes, description, ordered, rateLimitPerSecond, latestOnly } = config;
  const { contract, startFrom, status, disabledReason, createdAt, secrets } = config;
  return {
    targetUrl,
    eventTypes: [...eventTypes],
    description,
    ordered,
    rateLimitPerSecond,
    latestOnly,
    contract,
    startFrom,
    status,
    disabledReason,
    createdAt,
    secrets: secrets.map(({ id, box, createdAt: madeAt, expiresAt }) => ({ id, box, createdAt: madeAt, expiresAt })),
  };
}
