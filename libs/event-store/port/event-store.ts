/** A place in the log of all events, from 1; 0 is before the first. EventStoreDB: the commit position. */
export type Position = number;

/** The number of an event in its stream, from 0; −1 is an empty stream. */
export type Revision = number;
export const NO_STREAM: Revision = -1;

/** `<category>-<workspace>:<id>`, so that EventStoreDB's `$ce-<category>` projection works. */
export type StreamName = string;

/** The name of the stream of one thing. */
export const streamName = (category: string, workspace: string, id: string): StreamName =>
  `${category}-${workspace}:${id}`;

/** The parts of a name that `streamName` made. The id may hold colons and dashes, the workspace dashes, the category neither. */
export function parseStream(stream: StreamName): { category: string; workspace: string; id: string } {
  const dash = stream.indexOf('-');
  const colon = stream.indexOf(':', dash);
  return { category: stream.slice(0, dash), workspace: stream.slice(dash + 1, colon), id: stream.slice(colon + 1) };
}

/** What is known of an event beside its data. Times are RFC 3339 UTC with milliseconds. */
export interface EventMetadata {
  readonly workspace: string;
  readonly actor: string;
  /** Stored as `$correlationId`. */
  readonly correlationId: string;
  /** The event or command that led to this one; null for an outside command. Stored as `$causationId`. */
  readonly causationId: string | null;
  readonly commandId: string;
  readonly traceparent?: string;
  readonly schemaVersion: number;
  readonly occurredAt: string;
}

export interface NewEvent {
  /** UUID, derived from (command id, index). */
  readonly id: string;
  readonly type: string;
  readonly data: object;
  readonly metadata: EventMetadata;
}

export interface RecordedEvent extends NewEvent {
  readonly stream: StreamName;
  readonly revision: Revision;
  readonly position: Position;
}

export interface Appended {
  /** Revision of the last event appended. */
  readonly revision: Revision;
  /** Position of the last event appended. */
  readonly position: Position;
  /** Whether these events stood there already; absent when the engine does not tell. */
  readonly repeated?: boolean;
}

/** Some events, oldest first, and the position up to which the log has now been read (≥ the last event's). */
export interface LogBatch {
  readonly events: readonly RecordedEvent[];
  readonly position: Position;
}

/** A stretch of the log that was asked for. */
export interface LogPage extends LogBatch {
  /** It ends where it does because it may hold no more, by number or by size: there may be more behind it. */
  readonly isFull: boolean;
}

export interface ReadAllOptions {
  /** Exclusive: 0, or a position that this store gave (others need not be places at all). */
  readonly after: Position;
  /** With the event at `after` too, which must be the position of one. */
  readonly inclusive?: boolean;
  /** At most so many events. */
  readonly limit: number;
  /** None behind those whose data has so many characters together, about (PAGE_SIZE). */
  readonly size?: number;
  /** Only the events of this workspace. */
  readonly workspace?: string;
  /** Inclusive upper bound. */
  readonly upTo?: Position;
}

/** The stream was not at the expected revision. */
export class WrongRevisionError extends Error {
  constructor(
    readonly stream: StreamName,
    readonly expected: Revision,
    readonly actual: Revision,
  ) {
    super(`Stream ${stream} is at revision ${actual}, not ${expected}`);
    this.name = 'WrongRevisionError';
  }
}

/** A place was asked for that is none in this log. An engine need not notice it. */
export class NoSuchPositionError extends Error {
  constructor(position: Position, options?: ErrorOptions) {
    super(`The log has no event at position ${position}`, options);
    this.name = 'NoSuchPositionError';
  }
}

/** The engine cannot be reached or answered with a passing fault; the append may or may not have happened. */
export class EventStoreUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EventStoreUnavailableError';
  }
}

/** The engine answers and will not have us (a wrong password, a certificate that does not verify): waiting cannot help. */
export class EventStoreRefusedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EventStoreRefusedError';
  }
}

/**
 * The append-only log. Every adapter passes `conformance/`.
 * Positions are visible in order: once a reader has seen position p, nothing below p ever appears.
 */
export interface EventStore {
  /** Whether every number up to the head is a position to read after; when absent, only 0 and those of events are. */
  readonly anyPosition?: boolean;
  /** Whether a read of one workspace costs as much as its events; when absent, as much as all events on the way. */
  readonly byWorkspace?: boolean;
  /**
   * Appends at exactly `expected` (the stream's present revision, NO_STREAM for a new one), all or none.
   * The same events (by id) at the same place again are the same append and answer as the first did.
   * Rejects with WrongRevisionError or EventStoreUnavailableError.
   */
  append(stream: StreamName, events: readonly NewEvent[], expected: Revision): Promise<Appended>;
  /** The stream's events from revision `from` (0), oldest first, at most `limit` (all); empty when there is none. */
  read(stream: StreamName, from?: Revision, limit?: number): Promise<readonly RecordedEvent[]>;
  /** One stretch of the whole log in position order: unless it is full, up to the head at that moment, or to `upTo`. */
  readAll(options: ReadAllOptions): Promise<LogPage>;
  /** Where the workspace's event of this id (UUID) stands; undefined when there is none. Only of engines that have an index for it. */
  positionOf?(workspace: string, eventId: string): Promise<Position | undefined>;
  /**
   * The first event that stands in a stream of the workspace and says to be another's, if there is one. Only of engines where somebody could change
   * what stands in the log.
   */
  strangerIn?(workspace: string): Promise<{ readonly id: string; readonly position: Position } | undefined>;
  /** The first of these events, which are in log order, whose stream has none at the revision before. Only of the same engines. */
  firstBehindGap?(events: readonly RecordedEvent[]): Promise<RecordedEvent | undefined>;
  /** The position of the newest event; 0 when the log is empty. Never less than any append that was answered before the call. */
  head(): Promise<Position>;
  /**
   * Follows the log from `after` for ever: batches in position order, no larger than a page, each event once. Ends when `signal` aborts;
   * reconnects by itself through every fault. `onFault` hears of each.
   */
  follow(options: {
    after: Position;
    maxBatch: number;
    signal: AbortSignal;
    onFault?: (error: Error) => void;
  }): AsyncIterable<LogBatch>;
  /** Rejects, with one sentence, when the engine cannot be reached; with an EventStoreRefusedError when it will not have us. */
  check(): Promise<{ engine: string; version: string }>;
  close(): Promise<void>;
}
