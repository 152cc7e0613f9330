import type { EventMetadata } from './event-store';

/** Metadata as the engines hold it: the two names that EventStoreDB's own tools and projections know. */
interface StoredMetadata extends Omit<EventMetadata, 'correlationId' | 'causationId'> {
  readonly $correlationId: string;
  readonly $causationId?: string;
}

// Field by field: taking the rest of an object apart costs fifteen times as much, for every event read.

/** As an engine is to hold it; what is absent or null is left out. */
export function toStoredMetadata(metadata: EventMetadata): StoredMetadata {
  const { workspace, actor, commandId, schemaVersion, occurredAt, traceparent, correlationId, causationId } = metadata;
  return {
    workspace,
    actor,
    commandId,
    schemaVersion,
    occurredAt,
    ...(traceparent !== undefined && { traceparent }),
    $correlationId: correlationId,
    ...(causationId !== null && { $causationId: causationId }),
  };
}

/** As the port tells it, of what an engine holds: by another way than ours also nothing. */
export function fromStoredMetadata(stored: object | null): EventMetadata {
  const { workspace, actor, commandId, schemaVersion, occurredAt, traceparent, $correlationId, $causationId } =
    (stored ?? {}) as StoredMetadata;
  const correlationId = $correlationId;
  const causationId = $causationId ?? null;
  const metadata = { workspace, actor, correlationId, causationId, commandId, schemaVersion, occurredAt };
  return traceparent === undefined ? metadata : { ...metadata, traceparent };
}
