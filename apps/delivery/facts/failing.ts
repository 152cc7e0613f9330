import { FAILING_AFTER_MS } from '#webhooks';
import { MINUTE, SECOND, type Clock } from '#kernel';
import type { Database } from '#postgres';
import type { Outcome } from '../record/outcome';
import { writeFacts } from './facts';

export interface FailingNeeds {
  readonly db: Database;
  readonly clock: Clock;
  readonly onFact: () => void;
  readonly onFault: (error: Error) => void;
}

const LOOK_MS = 1_000;
/** It is written down so often that somebody is there. */
const THERE_MS = MINUTE;
/** A pause in which nobody was there, not a start anew. */
const PAUSE_MS = 10 * MINUTE;

/** Knows since when every attempt of an endpoint has failed, in all processes together, and says so after five days. */
export class Failing {
  private succeeded = new Set<number>();
  private failed = new Set<number>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private thereAt = 0;
  private stopped = false;

  constructor(private readonly needs: FailingNeeds) {}

  /** Resolves when what was before counts as it should: nothing may be sent earlier. */
  async start(): Promise<void> {
    await this.beThere();
    this.lookLater();
  }

  /** Says what it has noted, and no more. */
  async stop(): Promise<void> {
    this.kill();
    await this.looking;
    await this.look();
  }

  /** Forgets what it has noted, as a killed process does. */
  kill(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  note({ task, exchange }: Outcome): void {
    if (exchange === null) return;
    (exchange.ok ? this.succeeded : this.failed).add(task.endpoint);
  }

  private lookLater(): void {
    this.timer = setTimeout(() => (this.looking = this.look()), LOOK_MS);
  }

  private async look(): Promise<void> {
    const [succeeded, failed] = [this.succeeded, this.failed];
    this.succeeded = new Set();
    this.failed = new Set();
    try {
      if (succeeded.size > 0)
        await this.needs.db.query(
          'update delivery.endpoint set failing_since = null where no = any($1) and failing_since is not null',
          [[...succeeded]],
        );
      if (performance.now() - this.thereAt > THERE_MS) await this.beThere();
      const onlyFailed = [...failed].filter((no) => !succeeded.has(no));
      if (onlyFailed.length > 0) await this.failing(onlyFailed);
    } catch (error) {
      // A success above all: without it what fails later looks as if it had never been otherwise.
      succeeded.forEach((no) => this.succeeded.add(no));
      failed.forEach((no) => this.failed.add(no));
      if (!this.stopped) this.needs.onFault(error as Error);
    }
    if (!this.stopped) this.lookLater();
  }

  private async failing(endpoints: readonly number[]): Promise<void> {
    const { db, clock, onFact } = this.needs;
    await this.beThere();
    // By the server's clock: one process whose own is days ahead would give up whatever fails just now.
    await db.query('update delivery.endpoint set failing_since = now() where no = any($1) and failing_since is null', [
      endpoints,
    ]);
    const hopeless = await db.tx(async (sql) => {
      // Said once: it begins to count anew.
      const rows = await sql.query<{ workspace: string; id: string; position: number }>(
        'update delivery.endpoint set failing_since = null where no = any($1) and enabled and failing_since <= now() - make_interval(secs => $2) returning workspace, id, position',
        [endpoints, FAILING_AFTER_MS / SECOND],
      );
      await writeFacts(
        sql,
        rows.map(({ workspace, id, position: asOf }) => ({
          workspace,
          endpointId: id,
          kind: 'failing' as const,
          asOf,
        })),
        clock(),
      );
      return rows.length;
    });
    if (hopeless > 0) onFact();
  }

  /**
   * Says that somebody is there. Who is the first after a pause, as when all was stopped for weeks or the machine slept, lets every endpoint have
   * failed for as much less: in that time nobody tried.
   */
  private async beThere(): Promise<void> {
    const { db } = this.needs;
    this.thereAt = performance.now();
    const isOld = 'at not between now() - make_interval(secs => $1) and now()';
    const old = await db.query(`select from delivery.awake where ${isOld}`, [THERE_MS / SECOND]);
    if (old.length === 0) return;
    await db.tx(async (sql) => {
      const [last] = await sql.query<{ secs: number }>(
        `select extract(epoch from now() - at)::float8 as secs from delivery.awake where ${isOld} for update`,
        [THERE_MS / SECOND],
      );
      if (!last) return;
      await sql.query('update delivery.awake set at = now()');
      if (last.secs * SECOND > PAUSE_MS)
        await sql.query(
          'update delivery.endpoint set failing_since = failing_since + make_interval(secs => $1) where failing_since is not null',
          [last.secs],
        );
    });
  }
}
