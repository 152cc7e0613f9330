import type { EventStore, LogBatch, LogPage, Position, RecordedEvent } from '#event-store';
import { newest, PAGE_SIZE, sizeOf } from '#kernel';

/** So many events stay in memory, if they are no larger; who is further behind reads the log alone. */
const KEEP = { count: 8_000, size: PAGE_SIZE };
const FOLLOW_BATCH = 1_000;

interface Waiter {
  readonly urgent: boolean;
  wake(): void;
}

/**
 * Reads the log once for all projections of this process. The newest stretch stays in memory; a projection that is behind it, or ahead
 * while the reading began with one far behind, reads on its own until the two meet. Nobody waits for a slower one.
 */
export class LogFeed {
  private events: RecordedEvent[] = [];
  private size = 0;
  /** Everything after `start` up to `end` is in `events`. */
  private start: Position = 0;
  private end: Position = -1;
  private readonly waiters = new Set<Waiter>();
  private readonly stopping = new AbortController();
  private wantMore: (() => void) | undefined;
  private following: Promise<void> | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly onFault: (error: Error) => void,
    private readonly keep = KEEP,
  ) {}

  /** The newest position read. */
  get head(): Position {
    return Math.max(0, this.end);
  }

  /**
   * The next events after a position, at most `limit`; waits for the log to grow when there are none. Resolves with
   * undefined when `signal` aborts first.
   */
  async next(after: Position, limit: number, signal: AbortSignal, urgent = false): Promise<LogPage | undefined> {
    this.follow(after);
    while (!signal.aborted && !this.stopping.signal.aborted) {
      const { end } = this;
      if (after < this.start || after > end) {
        const batch = await this.store.readAll({ after, limit });
        if (batch.events.length > 0 || batch.position > after) return batch;
        // What has come meanwhile woke nobody who was still asking.
        if (this.end === end) await this.grown(signal, urgent);
      } else if (after < this.end) return this.slice(after, limit);
      else await this.grown(signal, urgent);
    }
    return undefined;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    for (const waiter of this.waiters) waiter.wake();
    this.wantMore?.();
    await this.following;
  }

  private slice(after: Position, limit: number): LogPage {
    let low = 0;
    for (let high = this.events.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.events[middle]!.position > after) high = middle;
      else low = middle + 1;
    }
    const events = this.events.slice(low, low + limit);
    const isAll = low + limit >= this.events.length;
    return { events, position: isAll ? this.end : events.at(-1)!.position, isFull: !isAll };
  }

  private follow(after: Position): void {
    if (this.following) return;
    this.start = this.end = after;
    this.following = this.run(after);
  }

  private async run(after: Position): Promise<void> {
    const { signal } = this.stopping;
    const options = { after, maxBatch: FOLLOW_BATCH, signal, onFault: this.onFault };
    for await (const batch of this.store.follow(options)) {
      this.add(batch);
      // The log is read no faster than the fastest projection takes it.
      if (!signal.aborted && this.waiters.size === 0) await this.asked();
    }
  }

  private asked(): Promise<void> {
    return new Promise((go) => (this.wantMore = go));
  }

  private add({ events, position }: LogBatch): void {
    for (const event of events) {
      this.events.push(event);
      this.size += sizeOf(event.data);
    }
    this.end = position;
    if (this.events.length > this.keep.count * 1.5 || this.size > this.keep.size * 1.5) this.drop();
    const woken = [...this.waiters].sort((a, b) => Number(b.urgent) - Number(a.urgent));
    this.waiters.clear();
    for (const waiter of woken) waiter.wake();
  }

  private drop(): void {
    const kept = newest(this.events, this.keep, ({ data }) => sizeOf(data));
    const dropped = this.events.splice(0, this.events.length - kept.length);
    for (const { data } of dropped) this.size -= sizeOf(data);
    this.start = dropped.at(-1)!.position;
  }

  private grown(signal: AbortSignal, urgent: boolean): Promise<void> {
    return new Promise((done) => {
      const waiter: Waiter = {
        urgent,
        wake: () => {
          signal.removeEventListener('abort', waiter.wake);
          this.waiters.delete(waiter);
          done();
        },
      };
      signal.addEventListener('abort', waiter.wake, { once: true });
      this.waiters.add(waiter);
      this.wantMore?.();
      this.wantMore = undefined;
    });
  }
}
