import type { Position } from '../port/event-store';

/** As the index has it (0347), which is asked in no other words. */
const OWNER = "split_part(substr(stream, strpos(stream, '-') + 1), ':', 1)";

export const STRANGER = `select event_id as id, position from log.event
  where ${OWNER} = $1 and ${OWNER} <> workspace order by position limit 1`;

export interface Stranger {
  readonly id: string;
  readonly position: Position;
}
