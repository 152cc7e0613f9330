import type { EventMetadata, NewEvent, RecordedEvent, Revision, StreamName } from '../port/event-store';
import { fromStoredMetadata, toStoredMetadata } from '../port/stored-metadata';

export const COLUMNS = 'e.position, e.revision, e.event_id as id, e.stream, e.type, e.data, e.metadata';

export interface EventRow extends Omit<RecordedEvent, 'metadata'> {
  readonly metadata: object;
}

export const fromRow = ({ id, type, data, metadata, stream, revision, position }: EventRow): RecordedEvent => ({
  id,
  type,
  data,
  metadata: fromStoredMetadata(metadata),
  stream,
  revision,
  position,
});

/** One caller's append, its JSON already text. */
export interface Append {
  readonly stream: StreamName;
  readonly expected: Revision;
  readonly events: readonly {
    id: string;
    type: string;
    workspace: EventMetadata['workspace'];
    data: string;
    metadata: string;
  }[];
  readonly characters: number;
}

export function toAppend(stream: StreamName, events: readonly NewEvent[], expected: Revision): Append {
  let characters = 0;
  const rows = events.map(({ id, type, data, metadata }) => {
    const row = {
      id,
      type,
      workspace: metadata.workspace,
      data: JSON.stringify(data),
      metadata: JSON.stringify(toStoredMetadata(metadata)),
    };
    characters += row.data.length + row.metadata.length;
    return row;
  });
  return { stream, expected, events: rows, characters };
}

/** The arrays of `log.append`, in its order. */
export function toArrays(batch: readonly Append[]): unknown[][] {
  const arrays: unknown[][] = Array.from({ length: 10 }, () => []);
  const [streams, expecteds, ...perEvent] = arrays;
  const [numbers, eventStreams, revisions, ids, types, workspaces, data, metadata] = perEvent;
  batch.forEach(({ stream, expected, events }, index) => {
    streams!.push(stream);
    expecteds!.push(expected);
    events.forEach((event, nth) => {
      numbers!.push(index + 1);
      eventStreams!.push(stream);
      revisions!.push(expected + 1 + nth);
      ids!.push(event.id);
      types!.push(event.type);
      workspaces!.push(event.workspace);
      data!.push(event.data);
      metadata!.push(event.metadata);
    });
  });
  return arrays;
}
