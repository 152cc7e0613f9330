import { derivedUuid } from '#kernel';
import type { LogBatch, NewEvent, RecordedEvent } from '../port/event-store';

/** An event with an id of its own, or of the same name always the same. */
export function event(name: string, data: object = { name }, workspace = 'ws_1'): NewEvent {
  return {
    id: derivedUuid('conformance', name),
    type: 'ThingHappened',
    data,
    metadata: {
      workspace,
      actor: 'usr_1',
      correlationId: 'correlation-1',
      causationId: null,
      commandId: name,
      schemaVersion: 1,
      occurredAt: '2026-04-22T14:00:00.000Z',
    },
  };
}

/** Reads a follower into an array until it ends. */
export function collect(follower: AsyncIterable<LogBatch>): {
  events: RecordedEvent[];
  batches: LogBatch[];
  done: Promise<void>;
} {
  const [events, batches]: [RecordedEvent[], LogBatch[]] = [[], []];
  const done = (async () => {
    for await (const batch of follower) {
      batches.push(batch);
      events.push(...batch.events);
    }
  })();
  return { events, batches, done };
}

/** Positions never fall, and a stream's revisions rise one by one. */
export function expectInOrder(events: readonly RecordedEvent[]): void {
  const revisions = new Map<string, number>();
  let position = 0;
  for (const event of events) {
    if (event.position < position) throw new Error(`Position ${event.position} after ${position}`);
    position = event.position;
    const before = revisions.get(event.stream);
    if (before !== undefined && event.revision !== before + 1)
      throw new Error(`${event.stream}: revision ${event.revision} after ${before}`);
    revisions.set(event.stream, event.revision);
  }
}
