import type { EventStore } from '#event-store';
import { MINUTE } from '#kernel';
import { stretch } from './newly-wanted';

/** Clocks of processes that append at the same time may differ by so much. */
const SLACK_MS = 5 * MINUTE;

/**
 * The log position after which an endpoint begins: of `startFrom`'s event (itself excluded), or the last before its time.
 * `registered` is the registration's own position: the start is never later.
 */
export async function startPosition(
  store: EventStore,
  workspace: string,
  startFrom: string,
  registered: number,
): Promise<number> {
  if (startFrom.startsWith('evt_')) return positionOfEvent(store, workspace, startFrom.slice(4), registered);
  return positionBefore(store, workspace, Date.parse(startFrom), registered);
}

async function positionOfEvent(
  store: EventStore,
  workspace: string,
  uuid: string,
  registered: number,
): Promise<number> {
  if (store.positionOf) return Math.min((await store.positionOf(workspace, uuid)) ?? registered, registered);
  for await (const events of stretch(store, workspace, 0, registered)) {
    const found = events.find(({ id }) => id === uuid);
    if (found) return found.position;
  }
  return registered;
}

/** Time grows with the position, but for the slack between clocks: halve down to the slack where any position will do, then look at each. */
async function positionBefore(store: EventStore, workspace: string, ms: number, registered: number): Promise<number> {
  let low = 0;
  let high = store.anyPosition ? registered : 0;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { events } = await store.readAll({ after: middle, limit: 1, workspace, upTo: high });
    const at = events[0] ? Date.parse(events[0].metadata.occurredAt) : Infinity;
    if (at < ms - SLACK_MS) low = Math.max(middle + 1, events[0]!.position);
    else high = middle;
  }
  let last = low;
  for await (const events of stretch(store, workspace, low, registered)) {
    for (const { metadata, position } of events) {
      if (Date.parse(metadata.occurredAt) >= ms) return last;
      last = position;
    }
  }
  return registered;
}
