import { newest, PAGE_SIZE, sizeOf } from '#kernel';
import type { LogPage, Position, ReadAllOptions, RecordedEvent } from '../port/event-store';

/** What is left when there are twice as many, or they are as large as a page. */
const KEPT = { count: 2_000, size: PAGE_SIZE / 2 };

/**
 * The newest stretch of the log as far as this process wrote it itself, without a gap: its own followers need not ask the
 * database for it. Positions have no holes, so a stretch that begins right behind a follower is all there is for it.
 */
export class RecentEvents {
  private events: RecordedEvent[] = [];
  private size = 0;

  /** Position of the newest event kept; 0 for none. */
  get newest(): Position {
    return this.events.at(-1)?.position ?? 0;
  }

  /** Adds what was appended together, in any order, and is so large. A hole before it, or in it, makes what came earlier useless. */
  add(appended: readonly RecordedEvent[], size: number): void {
    for (const event of appended.toSorted((one, other) => one.position - other.position)) {
      if (event.position !== this.newest + 1) this.events = [];
      this.events.push(event);
    }
    this.size += size;
    if (this.events.length <= 2 * KEPT.count && this.size <= PAGE_SIZE) return;
    this.events = newest(this.events, KEPT, ({ data }) => sizeOf(data));
    this.size = this.events.reduce((sum, { data }) => sum + sizeOf(data), 0);
  }

  /** What follows `after`, when the kept stretch begins no later; undefined when only the database can tell. */
  after({ after, limit }: Pick<ReadAllOptions, 'after' | 'limit'>): LogPage | undefined {
    const [first] = this.events;
    if (!first || after >= this.newest || after < first.position - 1) return undefined;
    const from = after + 1 - first.position;
    const events = this.events.slice(from, from + limit);
    return { events, position: events.at(-1)!.position, isFull: from + limit < this.events.length };
  }
}
