import { parseStream, type EventStore, type RecordedEvent, type Revision, type StreamName } from './event-store';

/** A stream holds an event that says to be another workspace's: nothing may be decided or shown on its word. */
export class StrangerInStreamError extends Error {
  constructor({ stream, revision, position, metadata }: RecordedEvent) {
    super(`Stream ${stream} holds an event of ${metadata.workspace} at revision ${revision}, position ${position}`);
    this.name = 'StrangerInStreamError';
  }
}

/** The stream's events, as `read` gives them. Rejects with StrangerInStreamError when one of them says to be another workspace's. */
export async function readOwn(
  store: Pick<EventStore, 'read'>,
  stream: StreamName,
  from?: Revision,
  limit?: number,
): Promise<readonly RecordedEvent[]> {
  const events = await store.read(stream, from, limit);
  const { workspace } = parseStream(stream);
  const stranger = events.find(({ metadata }) => metadata.workspace !== workspace);
  if (stranger) throw new StrangerInStreamError(stranger);
  return events;
}
