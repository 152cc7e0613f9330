import type { Position, RecordedEvent } from '../port/event-store';

/** As the index has it (0347), which is asked in no other words. */
const OWNER = "split_part(substr(stream, strpos(stream, '-') + 1), ':', 1)";

export const STRANGER = `select event_id as id, position from log.event
  where ${OWNER} = $1 and ${OWNER} <> workspace order by position limit 1`;

export interface Stranger {
  readonly id: string;
  readonly position: Position;
}

/** One by one along the index: what is looked for is nearly always there. */
export const GAP = `select wanted.no::int as no
  from unnest((select $1::text[]), (select $2::int[])) with ordinality wanted (stream, revision, no)
  left join lateral (select true as is_there from log.event e where e.stream = wanted.stream and e.revision = wanted.revision limit 1) before on true
  where before.is_there is null order by wanted.no limit 1`;

/** Those whose forerunner in their stream is not among the events before them. */
export function withoutForerunner(events: readonly RecordedEvent[]): RecordedEvent[] {
  const newest = new Map<string, number>();
  return events.filter(({ stream, revision }) => {
    const before = newest.get(stream);
    newest.set(stream, revision);
    return revision > 0 && before !== revision - 1;
  });
}
