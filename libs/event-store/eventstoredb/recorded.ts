import type { RecordedEvent as StoredEvent, ResolvedEvent } from '@eventstore/db-client';
import type { Position, RecordedEvent } from '../port/event-store';
import { fromStoredMetadata } from '../port/stored-metadata';

/** A node that does not know a position answers with the greatest unsigned number, or with none. */
export const isKnown = (position: bigint | undefined): position is bigint =>
  position !== undefined && position <= BigInt(Number.MAX_SAFE_INTEGER);

/** The commit position: what `$all` is ordered by. Through gRPC every event is its own commit, so it tells events apart. */
export function positionOf({ event, commitPosition }: ResolvedEvent): Position {
  const at = [commitPosition, event?.position?.commit, event?.position?.prepare].find(isKnown);
  if (at === undefined)
    throw new Error('The node does not tell the positions of events: EventStoreDB 22.6 or newer is needed.');
  return Number(at);
}

/** The event as ours; undefined for what others wrote into the same store, system events among them. */
export function recordedOf(resolved: ResolvedEvent, realm?: string): RecordedEvent | undefined {
  const { event } = resolved;
  if (!event || !isOurs(event, realm)) return undefined;
  const { id, type, data, metadata, streamId, revision } = event;
  return {
    id,
    type,
    data: data as object,
    metadata: fromStoredMetadata(metadata as object),
    stream: streamId,
    revision: Number(revision),
    position: positionOf(resolved),
  };
}

function isOurs({ type, streamId, isJson, metadata }: StoredEvent, realm: string | undefined): boolean {
  const told = metadata as
    { commandId?: unknown; workspace?: unknown; occurredAt?: unknown; realm?: unknown } | undefined;
  return (
    isJson &&
    !type.startsWith('$') &&
    !streamId.startsWith('$') &&
    // Others' events may name their commands too.
    typeof told?.commandId === 'string' &&
    typeof told.workspace === 'string' &&
    typeof told.occurredAt === 'string' &&
    told.realm === realm
  );
}
