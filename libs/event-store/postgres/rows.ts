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
    for (const name of [stream, type, row.workspace])
      if (name === '' || name.includes('\n')) throw new RangeError(`Not a name in one line: ${JSON.stringify(name)}`);
    characters += row.data.length + row.metadata.length;
    return row;
  });
  return { stream, expected, events: rows, characters };
}

/**
 * What an append has put into the log, as a read of it would show it: the data comes from the text that was written, so
 * that a follower gets the same from memory as from the database. `position` is that of its last event.
 */
export const recordedOf = ({ stream, expected, events }: Append, position: number): RecordedEvent[] =>
  events.map(({ id, type, data, metadata }, nth) =>
    fromRow({
      id,
      type,
      data: JSON.parse(data) as object,
      metadata: JSON.parse(metadata) as object,
      stream,
      revision: expected + 1 + nth,
      position: position - (events.length - 1 - nth),
    }),
  );

/** The parameters of `log.append`, in its order: text as lines (JSON text has no line breaks), numbers and ids as array literals. */
export function toParameters(batch: readonly Append[]): string[] {
  const events = batch.flatMap(({ stream, expected, events }, index) =>
    // What is spread comes last: before other fields it costs ten times as much.
    events.map((event, nth) => ({ stream, appendNo: index + 1, revision: expected + 1 + nth, ...event })),
  );
  const lines = (pick: (event: (typeof events)[number]) => string) => events.map(pick).join('\n');
  const array = (items: readonly (string | number)[]) => `{${items.join()}}`;
  return [
    batch.map(({ stream }) => stream).join('\n'),
    array(batch.map(({ expected }) => expected)),
    array(events.map(({ appendNo }) => appendNo)),
    lines(({ stream }) => stream),
    array(events.map(({ revision }) => revision)),
    array(events.map(({ id }) => id)),
    lines(({ type }) => type),
    lines(({ workspace }) => workspace),
    lines(({ data }) => data),
    lines(({ metadata }) => metadata),
  ];
}
