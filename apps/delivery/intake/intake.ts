import { uuidv7, type Clock } from '#kernel';
import type { Database } from '#postgres';
import type { CoreMessage } from '#public-messages';
import type { Batch } from '../dispatch/task';
import type { Endpoint } from '../endpoints/endpoint';
import type { EndpointDirectory } from '../endpoints/endpoint-directory';
import type { Metrics } from '../metrics';
import { Draft, Place, type PlaceNumber } from './draft';
import { handOver, type HandOverNeeds } from './hand-over';
import { writeDraft } from './write-draft';

/** More deliveries than this go in several statements: one event to a thousand endpoints must not be one huge one. */
const MAX_DELIVERIES = 2_000;

export interface IntakeNeeds extends HandOverNeeds {
  readonly db: Database;
  readonly clock: Clock;
  readonly directory: EndpointDirectory;
  readonly metrics: Metrics;
  readonly worker: () => string;
  /** How many more deliveries of the endpoint memory takes at present. */
  readonly room: (endpoint: Endpoint) => number;
  /** Resolves when memory as a whole has room again, or after a bounded time. */
  readonly calm: () => Promise<void>;
}

/** Turns messages into deliveries: matched, rendered, written with their numbers and a lease, then handed to dispatch. */
export class Intake {
  constructor(private readonly needs: IntakeNeeds) {}

  async take(messages: readonly CoreMessage[]): Promise<void> {
    for (let from = 0; from < messages.length;) {
      await this.needs.calm();
      from = await this.takeSome(messages, from);
    }
  }

  /** Takes messages in from `from` on, as many as fit one statement; returns the first that is left. */
  private async takeSome(messages: readonly CoreMessage[], from: number): Promise<number> {
    const { db, clock, directory, worker, metrics } = this.needs;
    for (;;) {
      const { version } = directory;
      const { draft, next } = this.draft(messages, from);
      if (draft.deliveries.length === 0 && version > 0) {
        if (await this.isCurrent(version)) return next;
        await directory.refresh();
        continue;
      }
      const batch: Batch = { id: uuidv7(), left: 0 };
      const written = await writeDraft(db, draft, { version, worker: worker(), batch: batch.id, now: clock() });
      if (written === 'stale') {
        await directory.refresh();
        continue;
      }
      metrics.intakeBatch.observe(draft.deliveries.length);
      metrics.taken.inc(written.sequences.size);
      metrics.intakeLag.observe(Math.max(0, Date.parse(clock()) - Date.parse(messages[next - 1]!.createdAt)) / 1000);
      handOver(draft, written.sequences, batch, this.needs);
      return next;
    }
  }

  private draft(messages: readonly CoreMessage[], from: number): { draft: Draft; next: number } {
    const { directory, clock } = this.needs;
    const ms = Date.parse(clock());
    const draft = new Draft(() => ms);
    const left = new Map<number, number>();
    const placeOf = (endpoint: Endpoint): PlaceNumber => {
      if (endpoint.row.config.ordered) return Place.queue;
      const room = left.get(endpoint.no) ?? this.needs.room(endpoint);
      left.set(endpoint.no, room - 1);
      return room > 0 ? Place.memory : Place.retry;
    };
    let next = from;
    while (next < messages.length && draft.deliveries.length < MAX_DELIVERIES) {
      const message = messages[next++]!;
      draft.add(
        message,
        directory.of(message.workspace),
        (endpoint, type) => endpoint.live(message.position, type),
        placeOf,
      );
    }
    return { draft, next };
  }

  /**
   * Whether nothing that nobody wants would be wanted by a newer version. Under the shared lock, like a write: a change that
   * is being applied has read the log's head, and these messages are up to it or are matched after it.
   */
  private async isCurrent(version: number): Promise<boolean> {
    const [row] = await this.needs.db.query<{ version: number }>('select delivery.version_under_lock() as version');
    return row!.version === version;
  }
}
