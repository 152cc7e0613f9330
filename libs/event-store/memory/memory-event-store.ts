import { PAGE_SIZE, sizeOf } from '#kernel';
import { followLoop } from '../port/follow-loop';
import {
  NO_STREAM,
  parseStream,
  WrongRevisionError,
  type Appended,
  type EventStore,
  type LogBatch,
  type LogPage,
  type NewEvent,
  type ReadAllOptions,
  type RecordedEvent,
  type Revision,
  type StreamName,
} from '../port/event-store';

/** The log in this process's memory: for tests that need a store and no engine. */
export class MemoryEventStore implements EventStore {
  readonly anyPosition = true;
  readonly byWorkspace = true;
  private readonly log: RecordedEvent[] = [];
  private readonly streams = new Map<StreamName, RecordedEvent[]>();
  private readonly hearers = new Set<() => void>();
  private readonly closing = new AbortController();

  async append(stream: StreamName, events: readonly NewEvent[], expected: Revision): Promise<Appended> {
    if (events.length === 0) throw new RangeError(`Nothing to append to ${stream}`);
    const present = this.streams.get(stream) ?? [];
    const actual = present.length - 1;
    const last = expected + events.length;
    if (actual !== expected) {
      const isSame = expected >= NO_STREAM && events.every(({ id }, index) => present[expected + 1 + index]?.id === id);
      if (isSame) return { revision: last, position: present[last]!.position, repeated: true };
      throw new WrongRevisionError(stream, expected, actual);
    }
    for (const event of events) {
      const { id, type, data, metadata } = JSON.parse(JSON.stringify(event)) as NewEvent;
      const recorded = { id, type, data, metadata, stream, revision: present.length, position: this.log.length + 1 };
      present.push(recorded);
      this.log.push(recorded);
    }
    this.streams.set(stream, present);
    for (const hear of this.hearers) hear();
    return { revision: last, position: this.log.length, repeated: false };
  }

  async read(stream: StreamName, from: Revision = 0, limit = Infinity): Promise<readonly RecordedEvent[]> {
    return (this.streams.get(stream) ?? []).slice(Math.max(0, from), Math.max(0, from) + limit);
  }

  async readAll({
    after,
    inclusive,
    limit,
    size = PAGE_SIZE,
    workspace,
    upTo = Infinity,
  }: ReadAllOptions): Promise<LogPage> {
    const events: RecordedEvent[] = [];
    let passed = 0;
    const end = Math.min(this.log.length, upTo);
    for (let position = Math.max(0, after) + (inclusive ? 0 : 1); position <= end; position++) {
      const event = this.log[position - 1]!;
      if (workspace !== undefined && event.metadata.workspace !== workspace) continue;
      events.push(event);
      passed += sizeOf(event.data);
      if (events.length === limit || passed >= size) return { events, position, isFull: true };
    }
    return { events, position: Math.max(after, end), isFull: false };
  }

  async strangerIn(workspace: string): Promise<RecordedEvent | undefined> {
    return this.log.find(
      ({ stream, metadata }) => parseStream(stream).workspace === workspace && metadata.workspace !== workspace,
    );
  }

  async firstBehindGap(events: readonly RecordedEvent[]): Promise<RecordedEvent | undefined> {
    return events.find(({ stream, revision }) => revision > 0 && !this.streams.get(stream)?.[revision - 1]);
  }

  async head(): Promise<number> {
    return this.log.length;
  }

  follow(options: Parameters<EventStore['follow']>[0]): AsyncIterable<LogBatch> {
    return followLoop(
      {
        readAll: (range) => this.readAll(range),
        onAppend: (wake) => {
          this.hearers.add(wake);
          return () => void this.hearers.delete(wake);
        },
      },
      { ...options, signal: AbortSignal.any([options.signal, this.closing.signal]) },
    );
  }

  async check(): Promise<{ engine: string; version: string }> {
    return { engine: 'memory', version: process.versions.node };
  }

  async close(): Promise<void> {
    this.closing.abort();
  }
}
