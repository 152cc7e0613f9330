import { streamName, type RecordedEvent } from '#event-store';
import { derivedUuid, type DataOf } from '#kernel';
import { eventSchemas, messagesOf, type CoreMessage, type DomainEvent } from '#public-messages';
import { contracts, type Contract, type Rendered } from '#webhook-contracts';

export const AT = '2026-04-22T14:00:00.000Z';
export const ACTOR = 'usr_owner123';

/** An event as the log holds it. Ids derive from `n`, so that each event of a story has its own. */
export function recorded<T extends DomainEvent['type']>(
  type: T,
  data: DataOf<DomainEvent, T>,
  { category = 'post', id = 'pst_1', n = 1, workspace = 'ws_1' } = {},
): RecordedEvent {
  const metadata = { workspace, actor: ACTOR, correlationId: 'cor_1', causationId: null, commandId: 'cmd_1' };
  return {
    id: derivedUuid('story', n),
    type,
    data,
    metadata: { ...metadata, schemaVersion: eventSchemas[type].version, occurredAt: AT },
    stream: streamName(category, workspace, id),
    revision: n - 1,
    position: n,
  };
}

export function contract(name: string): Contract {
  const found = contracts.get(name);
  if (!found) throw new Error(`No contract ${name}`);
  return found;
}

/** What a subscriber of `name` with `*` gets of these events, in order. */
export const delivered = (name: string, events: readonly RecordedEvent[]): readonly Rendered[] =>
  events
    .flatMap(messagesOf)
    .flatMap((message: CoreMessage) => (message.isWebhook ? contract(name).render(message) : []));
