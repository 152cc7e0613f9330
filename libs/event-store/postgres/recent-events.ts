import type { LogBatch, Position, ReadAllOptions, RecordedEvent } from '../port/event-store';

const KEPT = 2_000;

/**
 * The newest stretch of the log as far as this process wrote it itself, without a gap: its own followers need not ask the
 * database for it. Positions have no holes, so a stretch that begins right behind a follower is all there is for it.
 */
export class RecentEvents {
  private events: RecordedEvent[] = [];

  /** Position of the newest event kept; 0 for none. */
  get newest(): Position {
    return this.events.at(-1)?.position ?? 0;
  }

  /** Adds what was appended together, in any order. A hole before it, or in it, makes what came earlier useless. */
  add(appended: readonly RecordedEvent[]): void {
    for (const event of appended.toSorted((one, other) => one.position - other.position)) {
      if (event.position !== this.newest + 1) this.events = [];
      this.events.push(event);
    }
    if (this.events.length > 2 * KEPT) this.events = this.events.slice(-KEPT);
  }

  /** What follows `after`, when the kept stretch begins no later; undefined when only the database can tell. */
  after({ after, limit }: Pick<ReadAllOptions, 'after' | 'limit'>): LogBatch | undefined {
    const [first] = this.events;
    if (!first || after >= this.newest || after < first.position - 1) return undefined;
    const from = after + 1 - first.position;
    const events = this.events.slice(from, from + limit);
    return { events, position: events.at(-1)!.position };
  }
}
