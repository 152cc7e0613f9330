import type { EventStore, Position, RecordedEvent } from '#event-store';

const PAGE = 1_000;

/** Somebody asked for the end in the middle of a walk. */
export class StoppedError extends Error {
  override name = 'StoppedError';
}

/**
 * Every event of a log after a position, and up to one, oldest first, page by page; the next page is read while one is handled. Throws a
 * StoppedError between two pages once `signal` asks for the end.
 */
export async function* pages(
  store: EventStore,
  { after = 0, upTo, signal }: { after?: Position; upTo?: Position | undefined; signal?: AbortSignal | undefined } = {},
): AsyncGenerator<readonly RecordedEvent[]> {
  const read = (from: Position) => store.readAll({ after: from, limit: PAGE, ...(upTo !== undefined && { upTo }) });
  let next = read(after);
  for (;;) {
    const { events, position, isFull } = await next;
    if (isFull) {
      next = read(position);
      // Awaited in the next round; until then its failure is nobody's.
      next.catch(() => undefined);
    }
    if (signal?.aborted) throw new StoppedError();
    if (events.length > 0) yield events;
    if (!isFull) return;
  }
}

/** The events of two logs side by side, by their number; ends with the longer one, or like `pages`. */
export async function* sideBySide(
  one: EventStore,
  other: EventStore,
  signal?: AbortSignal,
): AsyncGenerator<readonly [RecordedEvent | undefined, RecordedEvent | undefined]> {
  const others = each(other, signal);
  for await (const event of each(one, signal)) yield [event, (await others.next()).value ?? undefined];
  for await (const event of others) yield [undefined, event];
}

async function* each(store: EventStore, signal?: AbortSignal): AsyncGenerator<RecordedEvent, undefined> {
  for await (const events of pages(store, { signal })) yield* events;
  return undefined;
}
