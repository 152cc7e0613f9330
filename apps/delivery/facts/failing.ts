import { FAILING_AFTER_MS } from '#webhooks';
import { SECOND, type Clock } from '#kernel';
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

/** Knows since when every attempt of an endpoint has failed, in all processes together, and says so after five days. */
export class Failing {
  private succeeded = new Set<number>();
  private failed = new Set<number>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private stopped = false;

  constructor(private readonly needs: FailingNeeds) {}

  start(): void {
    this.timer = setTimeout(() => (this.looking = this.look()), LOOK_MS);
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
      const onlyFailed = [...failed].filter((no) => !succeeded.has(no));
      if (onlyFailed.length > 0) await this.failing(onlyFailed);
    } catch (error) {
      // A success above all: without it what fails later looks as if it had never been otherwise.
      succeeded.forEach((no) => this.succeeded.add(no));
      failed.forEach((no) => this.failed.add(no));
      if (!this.stopped) this.needs.onFault(error as Error);
    }
    if (!this.stopped) this.start();
  }

  private async failing(endpoints: readonly number[]): Promise<void> {
    const { db, clock, onFact } = this.needs;
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
}
