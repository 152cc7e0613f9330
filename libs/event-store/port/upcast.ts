import type { EventSchema } from '#kernel';
import type { RecordedEvent } from './event-store';

/** What upcasting needs of a schema and of an aggregate. */
type Versions = Pick<EventSchema, 'version' | 'upcasters'>;
interface Versioned {
  readonly events: Readonly<Record<string, Versions>>;
}

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

/** One upcaster for every event type of the given aggregates. An unknown type throws: a forgotten event is a defect. */
export function upcasterOf(aggregates: readonly Versioned[]): (event: RecordedEvent) => RecordedEvent {
  const schemas = new Map<string, Versions>();
  for (const { events } of aggregates) for (const [type, schema] of Object.entries(events)) schemas.set(type, schema);
  return (event) => {
    const schema = schemas.get(event.type);
    if (!schema) throw new Error(`Unknown event type ${event.type} at position ${event.position}`);
    return upcastBy(schema, event);
  };
}
