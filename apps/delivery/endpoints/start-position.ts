import { eventsAfter, type EventStore } from '#event-store';
import { HOUR } from '#kernel';

const PAGE = 1_000;
/** Clocks of processes that append at the same time may differ by so much. */
const SLACK_MS = HOUR;

/**
 * The log position after which an endpoint begins: the last before `startFrom`'s event, of which `isAhead` tells what follows,
 * or before its time. `registered` is the registration's own position: the start is never later.
 */
export async function startPosition(
  store: EventStore,
  workspace: string,
  startFrom: string,
  registered: number,
): Promise<number> {
  const message = messageIn(startFrom);
  if (message) return positionBeforeEvent(store, workspace, message.event, registered);
  return positionBefore(store, workspace, Date.parse(startFrom), registered);
}

/** Of a `startFrom` that names a message: `evt_<event>`, the first of its event, or `evt_<event>/evt_<message>`, a further one. */
function messageIn(startFrom: string | null): { readonly event: string; readonly message: string } | undefined {
  if (!startFrom?.startsWith('evt_')) return undefined;
  const [event, message = event] = startFrom.split('/') as [string, string?];
  return { event: event.slice(4), message };
}

/**
 * Whether a message comes after the one that `startFrom` names: one event may have become several, so that a part of them is
 * still to come. Ask in order. A contract that does not have the message has nothing to come of its event.
 */
export function isAhead(startFrom: string | null): (event: string, messageId: string) => boolean {
  const named = messageIn(startFrom);
  let isPassed = false;
  return (event, messageId) => {
    if (event !== named?.event || isPassed) return true;
    isPassed = messageId === named.message;
    return false;
  };
}

async function positionBeforeEvent(
  store: EventStore,
  workspace: string,
  uuid: string,
  registered: number,
): Promise<number> {
  if (store.anyPosition && store.positionOf) {
    const position = await store.positionOf(workspace, uuid);
    return position === undefined ? registered : Math.min(position - 1, registered);
  }
  let last = 0;
  for await (const { id, position } of eventsAfter(store, workspace, { after: 0, upTo: registered, batch: PAGE })) {
    if (id === uuid) return last;
    last = position;
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
  for await (const { metadata, position } of eventsAfter(store, workspace, {
    after: low,
    upTo: registered,
    batch: PAGE,
  })) {
    if (Date.parse(metadata.occurredAt) >= ms) return last;
    last = position;
  }
  return registered;
}
