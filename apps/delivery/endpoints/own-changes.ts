import { streamName, type EventStore, type RecordedEvent } from '#event-store';
import type { Sql } from '#postgres';
import { messagesOf, type CoreMessage } from '#public-messages';
import { endpointAggregate } from '#webhooks';
import { ENDPOINT_CHANGED, endpointChange, type EndpointChange } from './endpoint-change';
import { endpointRow } from './endpoint-directory';

/** Where the log has what became of an endpoint. */
export const ownStream = (workspace: string, id: string) => streamName(endpointAggregate.category, workspace, id);

/** The changes among the events of an endpoint's own stream, in their order. */
export const changesIn = (events: readonly RecordedEvent[]): EndpointChange[] =>
  events
    .flatMap(messagesOf)
    .filter(({ type }) => type === ENDPOINT_CHANGED)
    .map(endpointChange);

/**
 * What had become, before a request, of the endpoint that it is about, as far as delivery has yet to hear of it, oldest first: a request for
 * one delivery and the changes of its endpoint have different keys, so the bus has no order between them.
 */
export async function changesBefore(
  { db, store }: { readonly db: Sql; readonly store: EventStore },
  { workspace, aboutEndpoint, position }: CoreMessage,
): Promise<EndpointChange[]> {
  const row = aboutEndpoint === undefined ? undefined : await endpointRow(db, workspace, aboutEndpoint);
  if (!row) return [];
  const events = await store.read(ownStream(workspace, row.id));
  return changesIn(events.filter((event) => event.position > row.position && event.position < position));
}
