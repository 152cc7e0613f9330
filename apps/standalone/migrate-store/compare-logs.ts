import { createHash } from 'node:crypto';
import type { EventStore, Position, RecordedEvent } from '#event-store';
import { nameOf } from './copy-log';
import { pages } from './walk';

export interface LogSummary {
  readonly events: number;
  readonly streams: ReadonlyMap<string, StreamSummary>;
  /** SHA-256, hex, over all streams' names, counts and hashes, by name. */
  readonly hash: string;
}

export interface StreamSummary {
  readonly count: number;
  /** SHA-256 over the hash up to the event before and the event. */
  readonly hash: Buffer;
}

/** Counts and hashes a log, up to a position, stream by stream: everything but positions, which are each store's own. */
export async function summarise(
  store: EventStore,
  { upTo, onCount, signal }: { upTo?: Position; onCount?: (events: number) => void; signal?: AbortSignal } = {},
): Promise<LogSummary> {
  const streams = new Map<string, StreamSummary>();
  let events = 0;
  for await (const page of pages(store, { upTo, signal })) {
    for (const event of page) {
      const before = streams.get(event.stream);
      const hash = createHash('sha256');
      if (before) hash.update(before.hash);
      streams.set(event.stream, { count: (before?.count ?? 0) + 1, hash: hash.update(textOf(event)).digest() });
    }
    events += page.length;
    onCount?.(events);
  }
  const whole = createHash('sha256');
  for (const name of [...streams.keys()].sort()) {
    const { count, hash } = streams.get(name)!;
    whole.update(JSON.stringify([name, count, hash.toString('hex')]));
  }
  return { events, streams, hash: whole.digest('hex') };
}

/** The first difference between two logs by stream name and revision, as a sentence; undefined when there is none. */
export async function firstDifference(
  source: EventStore,
  target: EventStore,
  [one, other]: readonly [LogSummary, LogSummary],
): Promise<string | undefined> {
  const names = [...new Set([...one.streams.keys(), ...other.streams.keys()])].sort();
  const stream = names.find((name) => {
    const [mine, theirs] = [one.streams.get(name), other.streams.get(name)];
    return !mine || !theirs || mine.count !== theirs.count || !mine.hash.equals(theirs.hash);
  });
  if (stream === undefined) return undefined;
  const [all, theirs] = [await source.read(stream), await target.read(stream)];
  const mine = all.slice(0, one.streams.get(stream)?.count ?? 0);
  for (let n = 0; n < Math.max(mine.length, theirs.length); n++) {
    const [event, there] = [mine[n], theirs[n]];
    if (!event) return `the target has ${nameOf(there!)}, the source has not`;
    if (!there) return `the source has ${nameOf(event)}, the target has not`;
    if (textOf(event) !== textOf(there)) return `${nameOf(event)} is not the same in the target`;
  }
  return `${stream} reads the same in both and stands differently in their logs`;
}

const textOf = ({ id, type, revision, data, metadata }: RecordedEvent): string => {
  const { workspace, actor, correlationId, causationId, commandId, traceparent, schemaVersion, occurredAt } = metadata;
  return JSON.stringify([
    ...[id, type, revision, data],
    ...[workspace, actor, correlationId, causationId, commandId, traceparent, schemaVersion, occurredAt],
  ]);
};
