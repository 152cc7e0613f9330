import type { EventMetadata } from './event-store';

/** Metadata as the engines hold it: the two names that EventStoreDB's own tools and projections know. */
interface StoredMetadata extends Omit<EventMetadata, 'correlationId' | 'causationId'> {
  readonly $correlationId: string;
  readonly $causationId?: string;
}

export function toStoredMetadata({ correlationId, causationId, ...rest }: EventMetadata): StoredMetadata {
  return { ...rest, $correlationId: correlationId, ...(causationId !== null && { $causationId: causationId }) };
}

export function fromStoredMetadata(stored: object): EventMetadata {
  const { $correlationId, $causationId, ...rest } = stored as StoredMetadata;
  return { ...rest, correlationId: $correlationId, causationId: $causationId ?? null };
}
