import type { Position, RecordedEvent } from '#event-store';
import type { Sql, Write } from '#postgres';
import type { Difference } from '#read-models';

/** A stretch of the log that one projection takes in one transaction. */
export interface Stretch {
  /** Those that the projection wants, in log order. Never empty. */
  readonly events: readonly RecordedEvent[];
  /** The log has been read up to here. */
  readonly position: Position;
}

/** What a stretch changes. */
export interface Changes {
  readonly writes: readonly Write[];
  /** What to do once they are committed, with the answers of those writes that have one. */
  readonly done?: (answers: readonly string[]) => void;
}

/** Something that follows the log: a view, the audit log, the outbox, the policies. */
export interface Projection {
  readonly name: string;
  /** Changes whenever what is stored does; another shape is built anew, beside the old. Fixed for what must never be done again. */
  readonly shape: string;
  /** At the live end: a batch starts at the earliest this many ms after the one before, so that bursts travel together. 0: at once. */
  readonly paceMs: number;
  /** Woken before the others. */
  readonly urgent?: boolean;
  /** Whether an event is of interest; the others only move the checkpoint. */
  wants(event: RecordedEvent): boolean;
  /** One build of it: `version` numbers its tables. */
  build(version: number): ProjectionBuild;
  /** A build for one transaction, to be compared with a real one. Absent for what must never be done again. */
  scratch?(): ScratchBuild;
}

export interface ProjectionBuild {
  /** Every event adds rows of its own and nothing reads them: the changes of a stretch may be computed while the one before is written. */
  readonly isAppended?: boolean;
  /** Makes what is missing; runs before the first batch, may run again. */
  prepare(sql: Sql): Promise<void>;
  /** Make what only readers need, before the build is read: statements that may run again, and all at once. */
  readonly indexes?: readonly string[];
  /** Makes this build what readers see; in the transaction of the switch. */
  publish?(sql: Sql): Promise<void>;
  /** Throws the tables away. */
  drop?(sql: Sql): Promise<void>;
  /** What a stretch changes, to be written in the statement that moves the checkpoint. May read with `sql`. */
  changes(sql: Sql, stretch: Stretch): Promise<Changes>;
  /** Forgets what it remembers of rows: the last transaction did not happen, or another process has led. */
  forget?(): void;
}

export interface ScratchBuild extends ProjectionBuild {
  /** The first row of build `version` that is not as it is here. */
  firstDifference(sql: Sql, version: number): Promise<Difference | undefined>;
  drop(sql: Sql): Promise<void>;
}
