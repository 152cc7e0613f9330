import { uuidv7, type Clock } from '#kernel';
import type { Database } from '#postgres';
import type { Batch } from './task';

export interface LeasesNeeds {
  readonly db: Database;
  readonly clock: Clock;
  readonly worker: () => string;
  /** Deliveries that nobody would have sent wait again. */
  readonly onGivenBack: (deliveries: number) => void;
  readonly onFault: (error: Error) => void;
}

/** How often this worker's leases are looked at, and from which age on: nearly all are over by then. */
const LOOK_MS = 1_000;

/**
 * The leases of this worker. The database may have one of which memory knows nothing: the answer to its commit was lost, or what
 * followed the commit failed. From a living worker nobody takes it, so the worker looks for such by itself and gives them back.
 */
export class Leases {
  /** Batches that are being written, or have something in memory: known before the database can have them, until they are recorded. */
  private readonly known = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(private readonly needs: LeasesNeeds) {}

  start(): void {
    void this.look();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /**
   * Runs `work`, which commits leases of the batches that it begins and gives their deliveries to dispatch. Whatever it commits
   * and does not dispatch, as when it rejects, is given back.
   */
  async writing<T>(work: (begin: () => Batch) => Promise<T>): Promise<T> {
    const batches: Batch[] = [];
    const begin = (): Batch => {
      const batch = { id: uuidv7(), worker: this.needs.worker(), size: 0, recorded: 0 };
      this.known.add(batch.id);
      batches.push(batch);
      return batch;
    };
    try {
      const result = await work(begin);
      this.over(batches.filter(({ size }) => size === 0).map(({ id }) => id));
      return result;
    } catch (error) {
      this.over(batches.map(({ id }) => id));
      throw error;
    }
  }

  /** All of these batches is recorded: memory has nothing more of them. */
  over(batches: readonly string[]): void {
    for (const id of batches) this.known.delete(id);
  }

  /** What this worker held is another's now. */
  lost(): void {
    this.known.clear();
  }

  private async look(): Promise<void> {
    try {
      await this.giveBackUnknown();
    } catch (error) {
      if (!this.stopped) this.needs.onFault(error as Error);
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.look(), LOOK_MS);
  }

  private async giveBackUnknown(): Promise<void> {
    const { db, clock } = this.needs;
    const worker = this.needs.worker();
    const rows = await db.query<{ batch: string }>(
      'select batch from delivery.lease where worker = $1 and created_at not between clock_timestamp() - make_interval(secs => $2) and clock_timestamp()',
      [worker, LOOK_MS / 1000],
    );
    const unknown = rows.map(({ batch }) => batch).filter((id) => !this.known.has(id));
    if (unknown.length === 0 || this.stopped) return;
    const [row] = await db.query<{ given: number }>('select delivery.release_leases($1, $2, $3) as given', [
      worker,
      unknown,
      clock(),
    ]);
    // What was recorded while it was looked at is gone by now.
    if (row!.given > 0) this.needs.onGivenBack(row!.given);
  }
}
