import { NO_STREAM, WrongRevisionError, type EventStore, type Position, type RecordedEvent } from '#event-store';
import { SettingsError } from '#platform';
import { pages, sideBySide } from './walk';

export interface CopyProgress {
  readonly copied: number;
  readonly eventsPerSecond: number;
  /** By position, so for logs whose events differ much in size an estimate. */
  readonly secondsLeft: number;
}

export interface CopyOptions {
  /** How many appends may be under way: more than one only where the target takes them in the order in which they were asked. */
  readonly atOnce: number;
  readonly onProgress?: (progress: CopyProgress) => void;
  /** Hears how many events the target was found to hold, while it is looked at. */
  readonly onPresent?: (events: number) => void;
  /** Ends the copy with what it has, and a look at what is there with a StoppedError. */
  readonly signal?: AbortSignal;
}

/** Of what is found to be there so many are told at once. */
const MANY = 1_000;
/** With as many characters under way, the appends of a PostgreSQL target still travel as one statement, in order. */
const MAX_CHARACTERS = 1_000_000;
/** A node of EventStoreDB refuses an append of more than a mebibyte of data and metadata, unless it is set otherwise. */
const MAX_APPEND_BYTES = 900_000;

/**
 * Copies what the target lacks, in the order of the source's log. What the target holds must be the beginning of the source:
 * that is where a copy that was killed goes on. Resolves with the number of events that were there and that were copied, and with the
 * position in the source up to which the target has it now: a source in use goes on.
 */
export async function copyLog(
  source: EventStore,
  target: EventStore,
  { atOnce, onProgress, onPresent, signal }: CopyOptions,
): Promise<{ present: number; copied: number; upTo: Position }> {
  const { after, present } = await commonBeginning(source, target, { onPresent, signal });
  const head = await source.head();
  const started = performance.now();
  let [copied, upTo] = [0, after];
  for await (const events of pages(source, { after })) {
    for (const window of windows(runs(events), atOnce)) {
      if (signal?.aborted) return { present, copied, upTo };
      await Promise.all(window.map((run) => append(target, run)));
      copied += window.reduce((sum, run) => sum + run.length, 0);
      upTo = window.at(-1)!.at(-1)!.position;
    }
    const eventsPerSecond = (copied / Math.max(1, performance.now() - started)) * 1_000;
    const position = events.at(-1)!.position;
    const perPosition = copied / Math.max(1, position - after);
    onProgress?.({ copied, eventsPerSecond, secondsLeft: ((head - position) * perPosition) / eventsPerSecond });
  }
  return { present, copied, upTo };
}

/** How far the target is the beginning of the source. Throws when it holds anything else. */
async function commonBeginning(
  source: EventStore,
  target: EventStore,
  { onPresent, signal }: Pick<CopyOptions, 'onPresent' | 'signal'>,
): Promise<{ after: Position; present: number }> {
  let [after, present]: [Position, number] = [0, 0];
  for await (const [event, there] of sideBySide(source, target, signal)) {
    if (!there) break;
    if (!event)
      throw new SettingsError(
        `The target holds more than the source: ${nameOf(there)} is not in it. It has gone on by itself, or is not a copy.`,
      );
    if (event.id !== there.id || event.stream !== there.stream)
      throw new SettingsError(
        `The target is not a copy of the source: where the source has ${nameOf(event)}, it has ${nameOf(there)}.`,
      );
    after = event.position;
    if (++present % MANY === 0) onPresent?.(present);
  }
  return { after, present };
}

async function append(target: EventStore, run: readonly RecordedEvent[]): Promise<void> {
  const [{ stream, revision }] = run as [RecordedEvent];
  try {
    await target.append(stream, run, revision === 0 ? NO_STREAM : revision - 1);
  } catch (error) {
    if (!(error instanceof WrongRevisionError)) throw error;
    throw new SettingsError(
      `Somebody else writes into the target: ${stream} is at revision ${error.actual} there, not ${error.expected}.`,
      { cause: error },
    );
  }
}

/** What travels in one append. */
interface Run {
  readonly events: RecordedEvent[];
  readonly characters: number;
}

/** Neighbours of one stream travel together, as long as no store finds them too many. */
function* runs(events: readonly RecordedEvent[]): Generator<Run> {
  let [run, bytes, characters]: [RecordedEvent[], number, number] = [[], 0, 0];
  for (const event of events) {
    const text = JSON.stringify([event.data, event.metadata]);
    const size = Buffer.byteLength(text);
    if (run.length > 0 && (run[0]!.stream !== event.stream || bytes + size > MAX_APPEND_BYTES)) {
      yield { events: run, characters };
      [run, bytes, characters] = [[], 0, 0];
    }
    run.push(event);
    bytes += size;
    characters += text.length;
  }
  if (run.length > 0) yield { events: run, characters };
}

/** Appends that may be under way together: each to a stream of its own, and not too much in all. */
function* windows(all: Iterable<Run>, atOnce: number): Generator<RecordedEvent[][]> {
  let window: RecordedEvent[][] = [];
  let streams = new Set<string>();
  let characters = 0;
  for (const run of all) {
    const { stream } = run.events[0]!;
    const isFull = window.length === atOnce || characters + run.characters > MAX_CHARACTERS || streams.has(stream);
    if (window.length > 0 && isFull) {
      yield window;
      [window, streams, characters] = [[], new Set(), 0];
    }
    window.push(run.events);
    streams.add(stream);
    characters += run.characters;
  }
  if (window.length > 0) yield window;
}

/** An event, for a sentence that says where two logs differ. */
export const nameOf = ({ stream, revision, id }: RecordedEvent): string => `event ${revision} of ${stream} (${id})`;
