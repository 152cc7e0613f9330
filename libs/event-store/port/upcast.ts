import type { EventSchema } from '#kernel';
import type { RecordedEvent } from './event-store';

/** What upcasting needs of a schema. */
type Versions = Pick<EventSchema, 'version' | 'upcasters'>;

/** Brings an event of any released schema version to the present one; the log itself never changes. */
export function upcastBy(schema: Versions, event: RecordedEvent): RecordedEvent {
  const from = event.metadata.schemaVersion;
  if (from === schema.version) return event;
  if (from > schema.version)
    throw new Error(`${event.type} version ${from} is newer than this build, which knows ${schema.version}`);
  let data = event.data as Record<string, unknown>;
  for (let version = from; version < schema.version; version++) {
    const next = schema.upcasters?.[version - 1];
    if (!next) throw new Error(`${event.type} has no upcaster from version ${version}`);
    data = next(data);
  }
  return { ...event, data, metadata: { ...event.metadata, schemaVersion: schema.version } };
}
