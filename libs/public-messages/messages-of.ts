import { parseStream, type RecordedEvent } from '#event-store';
import { followingUuid, publicEventId } from '#kernel';
import { TOPICS, type CoreMessage } from './core-message';
import { isCoreType, messageType } from './core-types';
import { upcast, type DomainEvent } from './domain';
import { accountMessages } from './mappings/accounts';
import { operationMessages } from './mappings/operations';
import { campaignMessages, postMessages } from './mappings/publishing';
import * as studio from './mappings/studio';
import { deliveryMessages, endpointMessages } from './mappings/webhooks';
import { subscriptionMessages, teamMessages, workspaceMessages } from './mappings/workspace';
import type { Mapping, Said } from './say';

const mapping: Mapping<DomainEvent> = {
  ...postMessages,
  ...campaignMessages,
  ...accountMessages,
  ...workspaceMessages,
  ...teamMessages,
  ...subscriptionMessages,
  ...operationMessages,
  ...studio.mediaMessages,
  ...studio.designMessages,
  ...studio.assetMessages,
  ...studio.galleryMessages,
  ...studio.contentMessages,
  ...studio.regionMessages,
  ...endpointMessages,
  ...deliveryMessages,
};

/**
 * What one event of the log says in public: none, one or several messages, always the same for the same event, so
 * any stretch of the log can be mapped again. Takes any released version of the event. An unknown type throws.
 */
export function messagesOf(recorded: RecordedEvent): CoreMessage[] {
  const event = upcast(recorded);
  const words = mapping[event.type as DomainEvent['type']] as (data: object) => readonly Said[];
  return words(event.data).map((said, index) => coreMessage(event, said, index));
}

function coreMessage({ id, stream, position, metadata }: RecordedEvent, said: Said, index: number): CoreMessage {
  const { workspace, occurredAt, actor, correlationId, traceparent } = metadata;
  return {
    id: publicEventId(index === 0 ? id : followingUuid(id, index)),
    type: said.type,
    topic: TOPICS[messageType(said.type)!.topic],
    workspace,
    key: parseStream(stream).id,
    createdAt: occurredAt,
    dataJson: JSON.stringify(said.data),
    position,
    index,
    actor,
    correlationId,
    isWebhook: isCoreType(said.type),
    ...(traceparent !== undefined && { traceparent }),
    ...(said.region !== undefined && { region: said.region }),
    ...(said.facts !== undefined && { factsJson: JSON.stringify(said.facts) }),
    ...(said.aboutEndpoint !== undefined && { aboutEndpoint: said.aboutEndpoint }),
  };
}
