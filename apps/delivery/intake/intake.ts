import type { Clock } from '#kernel';
import type { Database, Sql } from '#postgres';
import type { CoreMessage } from '#public-messages';
import type { Leases } from '../dispatch/leases';
import type { Endpoint } from '../endpoints/endpoint';
import type { EndpointDirectory } from '../endpoints/endpoint-directory';
import type { Metrics } from '../metrics';
import { Draft, Place, type PlaceNumber } from './draft';
import { handOver, type HandOverNeeds } from './hand-over';
import { writeDraft } from './write-draft';

/** More deliveries than this go in several statements: one event to a thousand endpoints must not be one huge one. */
const MAX_DELIVERIES = 2_000;
/** Nor more characters of bodies, of which a statement has several copies on its way. */
export const MAX_SIZE = 8_000_000;

export interface IntakeNeeds extends HandOverNeeds {
  readonly db: Database;
  readonly clock: Clock;
  readonly directory: EndpointDirectory;
  readonly metrics: Metrics;
  readonly leases: Leases;
  /** How many more deliveries of the endpoint memory takes at present. */
  readonly room: (endpoint: Endpoint) => number;
  /** Resolves when memory as a whole has room again, or after a bounded time. */
  readonly calm: () => Promise<void>;
  /** Runs work while no endpoint is changed by this process. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Turns messages into deliveries: matched, rendered, written with their numbers and a lease, then handed to dispatch. */
export class Intake {
  constructor(private readonly needs: IntakeNeeds) {}

  async take(messages: readonly CoreMessage[]): Promise<void> {
    for (let left = messages; left.length > 0;) {
      await this.needs.calm();
      left = await this.takeSome(left);
    }
  }

  /**
   * Takes messages in, as many as fit one statement; returns those that are left. What a change of its workspaces has overtaken takes its turn among
   * the changes: one after the other, as when a workspace registers a thousand endpoints, they would overtake it each time.
   */
  private async takeSome(messages: readonly CoreMessage[]): Promise<readonly CoreMessage[]> {
    const { db, directory, inTurn } = this.needs;
    const again = () => inTurn(() => directory.refresh().then(() => this.tryToTake(messages)));
    for (let left = await this.tryToTake(messages); ; left = await again()) {
      if (left === 'known') messages = await unknown(db, messages);
      else if (left !== 'stale') return left;
    }
  }

  private async tryToTake(messages: readonly CoreMessage[]): Promise<readonly CoreMessage[] | 'stale' | 'known'> {
    const { db, clock, directory, leases, metrics } = this.needs;
    const { version } = directory;
    const { draft, next } = await this.currentDraft(messages);
    // Of all that were looked at: what nobody wanted of a workspace, a newer endpoint of it may want.
    const workspaces = [...new Set(messages.slice(0, next).map(({ workspace }) => workspace))];
    if (draft.deliveries.length === 0 && version > 0)
      return (await this.isCurrent(version, workspaces)) ? messages.slice(next) : 'stale';
    const written = await leases.writing(async (begin) => {
      const batch = begin();
      const answer = await writeDraft(db, draft, { version, workspaces, batch, now: clock() });
      if (typeof answer !== 'string') handOver(draft, answer, batch, this.needs);
      return answer;
    });
    if (typeof written === 'string') return written;
    metrics.intakeBatch.observe(draft.deliveries.length);
    metrics.taken.inc(draft.deliveries.length);
    metrics.intakeLag.observe(Math.max(0, Date.parse(clock()) - Date.parse(messages[next - 1]!.createdAt)) / 1000);
    return messages.slice(next);
  }

  /** An endpoint that stands in the way may have been changed since: the next try looks at it anew. */
  private async currentDraft(messages: readonly CoreMessage[]): Promise<{ draft: Draft; next: number }> {
    try {
      return this.draft(messages);
    } catch (error) {
      await this.needs.directory.refresh();
      throw error;
    }
  }

  private draft(messages: readonly CoreMessage[]): { draft: Draft; next: number } {
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
    let next = 0;
    while (next < messages.length && draft.deliveries.length < MAX_DELIVERIES && draft.size < MAX_SIZE) {
      const message = messages[next++]!;
      draft.add(
        message,
        directory.of(message.workspace),
        (endpoint, { type }) => endpoint.live(message.position, type),
        placeOf,
      );
    }
    return { draft, next };
  }

  /**
   * Whether nothing that nobody wants would be wanted by a newer version. Under the shared lock, like a write: a change that
   * is being applied has read the log's head, and these messages are up to it or are matched after it.
   */
  private async isCurrent(version: number, workspaces: readonly string[]): Promise<boolean> {
    const [row] = await this.needs.db.query<{ current: boolean }>(
      'select delivery.current_version($1, $2) is not null as current',
      [version, workspaces],
    );
    return row!.current;
  }
}

/** Each of the messages that did not come before, once: the others need no second effect. */
async function unknown(sql: Sql, messages: readonly CoreMessage[]): Promise<readonly CoreMessage[]> {
  const rows = await sql.query<{ position: number; index: number }>(
    `select i.position, i.index from unnest($1::bigint[], $2::smallint[], $3::timestamptz[]) as m (position, index, created_at)
     join delivery.inbox i using (position, index, created_at)`,
    [
      messages.map(({ position }) => position),
      messages.map(({ index }) => index),
      messages.map(({ createdAt }) => createdAt),
    ],
  );
  const known = new Set(rows.map(({ position, index }) => `${position}.${index}`));
  return messages.filter(({ position, index }) => known.size < known.add(`${position}.${index}`).size);
}
