import { setTimeout as pause } from 'node:timers/promises';
import {
  BACKWARDS,
  END,
  excludeSystemEvents,
  FORWARDS,
  jsonEvent,
  NO_STREAM as ESDB_NO_STREAM,
  START,
  StreamNotFoundError,
  WrongExpectedVersionError,
  type JSONEventType,
  type ResolvedEvent,
} from '@eventstore/db-client';
import { PAGE_SIZE, sizeOf } from '#kernel';
import {
  NO_STREAM,
  NoSuchPositionError,
  WrongRevisionError,
  type Appended,
  type EventStore,
  type LogBatch,
  type LogPage,
  type NewEvent,
  type Position,
  type ReadAllOptions,
  type RecordedEvent,
  type Revision,
  type StreamName,
} from '../port/event-store';
import { toStoredMetadata } from '../port/stored-metadata';
import { Connection, type Deadlines } from './connection';
import { isInvalid, refused, unavailable } from './faults';
import { isKnown, positionOf, recordedOf } from './recorded';
import { SubscriptionReader } from './subscription';

export interface EventStoreDbOptions extends Partial<Deadlines> {
  /** A follower that hears nothing for so many milliseconds compares itself with the head (1,000). */
  readonly watchMs?: number;
  /** Events of another realm in the same store are others'. The apps have none; a suite that shares a node with them has one. */
  readonly realm?: string;
}

/** Events of a subscription that the client holds on either side of itself: each may be as large as events are. */
const BUFFERED = 100;
/** The newest event is nearly always the head; only behind what the node writes for itself must be looked further. */
const FIRST_HEAD_PAGE = 2;
const HEAD_PAGE = 64;
/** Health is asked often and must answer soon. */
const CHECK_MS = 2_000;
const FIRST_BACKOFF_MS = 25;
const MAX_BACKOFF_MS = 2_000;
/** KurrentDB is what EventStoreDB is called from this version on. */
const FIRST_KURRENT = 25;

/** A place in `$all`: gRPC appends commit each event by itself, so both halves are the same. */
const placeOf = (position: Position) =>
  position <= 0 ? START : { commit: BigInt(position), prepare: BigInt(position) };

/**
 * The log in EventStoreDB or KurrentDB. `url` is a connection string (`esdb://admin:secret@host:2113?tls=true`): TLS,
 * credentials, cluster discovery and keep-alive come from it. Throws one sentence, without the password, when it cannot be read.
 */
export class EventStoreDbEventStore implements EventStore {
  private readonly connection: Connection;
  private readonly watchMs: number;
  private readonly realm: string | undefined;
  private readonly closing = new AbortController();
  /** The newest own event that is known of, and the place up to which the log has been searched for it. */
  private newest: Position = 0;
  private searched: Position = 0;

  constructor(
    url: string,
    { deadlineMs = 15_000, attemptMs = 5_000, watchMs = 1_000, realm }: EventStoreDbOptions = {},
  ) {
    this.realm = realm;
    this.connection = new Connection(url, { deadlineMs, attemptMs });
    this.watchMs = watchMs;
  }

  async append(stream: StreamName, events: readonly NewEvent[], expected: Revision): Promise<Appended> {
    if (events.length === 0) throw new RangeError(`Nothing to append to ${stream}`);
    const proposed = events.map(({ id, type, data, metadata }) =>
      jsonEvent({
        id,
        type,
        data: data as JSONEventType['data'],
        metadata: { ...toStoredMetadata(metadata), ...(this.realm !== undefined && { realm: this.realm }) },
      }),
    );
    try {
      // The same ids at an exact revision: a repeated append is the same append, so a lost answer may be asked for again.
      const { position } = await this.connection.request((client) =>
        client.appendToStream(stream, proposed, {
          expectedRevision: expected === NO_STREAM ? ESDB_NO_STREAM : BigInt(expected),
        }),
      );
      const revision = expected + events.length;
      // Of several events the answer tells one place, and of a repeated append a node need not know it.
      const told = events.length === 1 ? position?.commit : undefined;
      const at = isKnown(told) ? Number(told) : await this.positionAt(stream, revision);
      this.newest = Math.max(this.newest, at);
      return { revision, position: at };
    } catch (error) {
      if (!(error instanceof WrongExpectedVersionError)) throw error;
      throw new WrongRevisionError(
        stream,
        expected,
        typeof error.actualVersion === 'bigint' ? Number(error.actualVersion) : NO_STREAM,
      );
    }
  }

  async read(stream: StreamName, from: Revision = 0, limit?: number): Promise<readonly RecordedEvent[]> {
    const range = { fromRevision: BigInt(Math.max(0, from)), ...(limit !== undefined && { maxCount: limit }) };
    try {
      const events = await this.connection.drain((client) =>
        client.readStream(stream, { ...range, requiresLeader: true }),
      );
      return events.flatMap((event) => recordedOf(event, this.realm) ?? []);
    } catch (error) {
      if (error instanceof StreamNotFoundError) return [];
      throw error;
    }
  }

  async readAll({
    after,
    inclusive = false,
    limit,
    size = PAGE_SIZE,
    workspace,
    upTo = Number.MAX_SAFE_INTEGER,
  }: ReadAllOptions): Promise<LogPage> {
    const events: RecordedEvent[] = [];
    // A read begins with the event at its place, which is the one that is known already, or the only one that is asked for.
    const maxCount = inclusive && upTo === after ? 1 : Math.max(limit + 1, HEAD_PAGE);
    for (let position = after, passed = 0; ;) {
      const page = await this.page(position, maxCount, size);
      for (const resolved of page.events) {
        const at = positionOf(resolved);
        if (at <= position && !(inclusive && at === after && events.length === 0)) continue;
        if (at > upTo) return { events, position, isFull: false };
        position = at;
        const event = recordedOf(resolved, this.realm);
        if (!event || (workspace !== undefined && event.metadata.workspace !== workspace)) continue;
        events.push(event);
        passed += sizeOf(event.data);
        if (events.length === limit || passed >= size) return { events, position, isFull: true };
      }
      if (page.isLast || position >= upTo) return { events, position, isFull: false };
    }
  }

  async head(): Promise<Position> {
    let top: Position | undefined;
    for (let from: Position | undefined, maxCount = FIRST_HEAD_PAGE; ; maxCount = HEAD_PAGE) {
      const fromPosition = from === undefined ? END : placeOf(from);
      const page = await this.connection.drain((client) =>
        client.readAll({ direction: BACKWARDS, fromPosition, maxCount, requiresLeader: true }),
      );
      for (const resolved of page) {
        const at = positionOf(resolved);
        top ??= at;
        const isOwn = recordedOf(resolved, this.realm) !== undefined;
        // What was searched before need not be searched again.
        if (!isOwn && at > this.searched) continue;
        this.newest = Math.max(this.newest, isOwn ? at : 0);
        this.searched = Math.max(this.searched, top);
        return this.newest;
      }
      if (page.length < maxCount) return this.newest;
      from = positionOf(page.at(-1)!);
    }
  }

  async *follow({
    after,
    maxBatch,
    signal: asked,
    onFault,
  }: Parameters<EventStore['follow']>[0]): AsyncGenerator<LogBatch> {
    const signal = AbortSignal.any([asked, this.closing.signal]);
    for (
      let position = after, backoff = FIRST_BACKOFF_MS;
      !signal.aborted;
      backoff = Math.min(backoff * 2, MAX_BACKOFF_MS)
    ) {
      const { client, gone } = await this.connection.current();
      // Checkpoints run ahead of what has been consumed, so they are not listened to: our place is our last event's.
      const subscription = client.subscribeToAll(
        { fromPosition: placeOf(position), filter: excludeSystemEvents() },
        { highWaterMark: Math.min(maxBatch, BUFFERED) },
      );
      const reader = new SubscriptionReader(subscription, {
        maxBatch,
        signal,
        gone,
        watchMs: this.watchMs,
        isBehind: async () => (await this.head()) > position,
      });
      try {
        while (!signal.aborted) {
          const events: RecordedEvent[] = [];
          for (const resolved of await reader.next()) {
            const at = positionOf(resolved);
            if (at <= position) continue;
            position = at;
            const event = recordedOf(resolved, this.realm);
            if (event) events.push(event);
          }
          if (events.length === 0) continue;
          backoff = FIRST_BACKOFF_MS;
          yield { events, position };
        }
      } catch (error) {
        onFault?.(unavailable(error));
      } finally {
        reader.stop();
      }
      await pause(backoff, undefined, { signal }).catch(() => undefined);
    }
  }

  async check(): Promise<{ engine: string; version: string }> {
    try {
      await this.connection.drain(
        (client) => client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1 }),
        { deadlineMs: CHECK_MS },
      );
    } catch (error) {
      throw refused(error) ?? error;
    }
    const version = await this.connection.request(async (client) => (await client['capabilities']).serverVersion);
    return { engine: Number.parseInt(version, 10) >= FIRST_KURRENT ? 'KurrentDB' : 'EventStoreDB', version };
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.connection.close();
  }

  /** What follows `from`, and the event there: as many as may be, or until they are too large. */
  private async page(
    from: Position,
    maxCount: number,
    size: number,
  ): Promise<{ readonly events: readonly ResolvedEvent[]; readonly isLast: boolean }> {
    let passed = 0;
    // The event at the place, which is known, is not counted: else it might be all of the page.
    const isEnough = (one: ResolvedEvent) => positionOf(one) > from && (passed += sizeOf(one.event?.data)) >= size;
    try {
      const events = await this.connection.drain(
        (client) => {
          passed = 0;
          return client.readAll({ direction: FORWARDS, fromPosition: placeOf(from), maxCount, requiresLeader: true });
        },
        { isEnough },
      );
      return { events, isLast: passed < size && events.length < maxCount };
    } catch (error) {
      throw isInvalid(error) ? new NoSuchPositionError(from, { cause: error }) : error;
    }
  }

  /** The event itself knows its place. */
  private async positionAt(stream: StreamName, revision: Revision): Promise<Position> {
    const [resolved] = await this.connection.drain((client) =>
      client.readStream(stream, { fromRevision: BigInt(revision), maxCount: 1, requiresLeader: true }),
    );
    if (!resolved)
      throw unavailable(new Error(`${stream} does not hold revision ${revision}, which it has just taken`));
    return positionOf(resolved);
  }
}
