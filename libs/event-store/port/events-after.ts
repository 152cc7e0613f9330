import type { EventStore, Position, RecordedEvent } from './event-store';

export interface EventsAfter {
  readonly after: Position;
  /** The last position that is read; the end of the log without it. */
  readonly upTo?: Position;
  /** At most so many are asked for, and in memory, at once. */
  readonly batch: number;
}

/** A workspace's events in log order. Rejects as `readAll` does. */
export async function* eventsAfter(
  store: Pick<EventStore, 'readAll'>,
  workspace: string,
  { after: from, upTo = Infinity, batch: limit }: EventsAfter,
): AsyncGenerator<RecordedEvent, undefined> {
  for (let after = from; after < upTo;) {
    const { events, position, isFull } = await store.readAll({
      after,
      limit,
      workspace,
      ...(upTo < Infinity && { upTo }),
    });
    yield* events;
    if (!isFull) return undefined;
    after = position;
  }
  return undefined;
}
