import type { EventStore, Position, RecordedEvent } from './event-store';

export interface EventsAfter {
  readonly after: Position;
  /** The last position that is read; the end of the log without it. */
  readonly upTo?: Position;
  /** At most so many are asked for, and in memory, at once. */
  readonly batch: number;
}

/** The events of a workspace, or of all, in log order: page by page, none of them empty. Rejects as `readAll` does. */
export async function* pagesAfter(
  store: Pick<EventStore, 'readAll'>,
  workspace: string | undefined,
  { after: from, upTo = Infinity, batch: limit }: EventsAfter,
): AsyncGenerator<readonly RecordedEvent[], undefined> {
  for (let after = from; after < upTo;) {
    const { events, position, isFull } = await store.readAll({
      after,
      limit,
      ...(workspace !== undefined && { workspace }),
      ...(upTo < Infinity && { upTo }),
    });
    if (events.length > 0) yield events;
    if (!isFull) return undefined;
    after = position;
  }
  return undefined;
}

/** A workspace's events in log order. Rejects as `readAll` does. */
export async function* eventsAfter(
  store: Pick<EventStore, 'readAll'>,
  workspace: string,
  stretch: EventsAfter,
): AsyncGenerator<RecordedEvent, undefined> {
  for await (const events of pagesAfter(store, workspace, stretch)) yield* events;
  return undefined;
}

/** The event at a position; undefined where there is none, or one of another workspace. Rejects as `readAll` does. */
export async function eventAt(
  store: Pick<EventStore, 'readAll'>,
  position: Position,
  workspace?: string,
): Promise<RecordedEvent | undefined> {
  const there = { after: position, inclusive: true, upTo: position, limit: 1 };
  const { events } = await store.readAll(workspace === undefined ? there : { ...there, workspace });
  return events[0];
}
