import { streamName, type EventStore } from '#event-store';
import type { Sql } from '#postgres';
import { messagesOf, type CoreMessage } from '#public-messages';
import { endpointAggregate } from '#webhooks';
import { ENDPOINT_CHANGED, endpointChange, type EndpointChange } from './endpoint-change';
import { endpointRow } from './endpoint-directory';

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
  const events = await store.read(streamName(endpointAggregate.category, workspace, row.id));
  return events
    .filter((event) => event.position > row.position && event.position < position)
    .flatMap(messagesOf)
    .filter(({ type }) => type === ENDPOINT_CHANGED)
    .map(endpointChange);
}
