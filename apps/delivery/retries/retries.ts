import type { Clock } from '#kernel';
import type { Leases } from '../dispatch/leases';
import { taskOf, type Batch, type Task, type WaitingRow } from '../dispatch/task';
import type { Endpoint } from '../endpoints/endpoint';
import type { Metrics } from '../metrics';
import { Leaving, type LeavingNeeds } from './leaving';

export interface RetriesNeeds extends LeavingNeeds {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly leases: Leases;
  readonly isSure: () => boolean;
  /** How much memory takes of what has waited. */
  readonly room: (endpoint: Endpoint) => number;
  readonly dispatch: (tasks: readonly Task[]) => void;
  readonly refreshEndpoints: () => Promise<void>;
}

interface ClaimedRow extends WaitingRow {
  readonly endpoint: number;
  readonly coalesce_key: string | null;
}

/** Other processes write rows too: what waits is looked up so often. */
const LOOK_MS = 1_000;
/** Deliveries claimed at once, and of one endpoint: small, so that a backlog takes turns with what comes in live. */
const CLAIM = 500;
const CLAIM_OF_ONE = 200;
const LONGEST_TIMER_MS = 60_000;

/**
 * Brings back what waits in delivery.retry when it is due and its endpoint has room. It remembers per endpoint only when the
 * next is due, so a backlog costs nothing until its time.
 */
export class Retries {
  private readonly due = new Map<number, number>();
  /** Of each question to the database that is under way, what was noted since: its answer may not know of that. */
  private readonly asking = new Set<Map<number, number>>();
  private readonly leaving: Leaving;
  private looking = false;
  private lookAgain = false;
  private timer: NodeJS.Timeout | undefined;
  private lookTimer: NodeJS.Timeout | undefined;
  private claiming = false;
  private again = false;
  private stopped = false;

  constructor(private readonly needs: RetriesNeeds) {
    this.leaving = new Leaving(needs);
  }

  start(): void {
    void this.look();
  }

  stop(): void {
    this.stopped = true;
    this.leaving.stop();
    clearTimeout(this.timer);
    clearTimeout(this.lookTimer);
  }

  /** A row was written that is due at `dueMs`. */
  note(endpoint: number, dueMs: number): void {
    for (const noted of this.asking) sooner(noted, endpoint, dueMs);
    if (sooner(this.due, endpoint, dueMs)) this.schedule();
  }

  /** An endpoint has room for more. */
  room(endpoint: number): void {
    const due = this.due.get(endpoint);
    if (due !== undefined && due <= this.now()) this.schedule();
  }

  /** Something else wrote rows: looks for itself. */
  wake(): void {
    clearTimeout(this.lookTimer);
    void this.look();
  }

  private now(): number {
    return Date.parse(this.needs.clock());
  }

  private async look(): Promise<void> {
    if (this.stopped) return;
    // One at a time: an answer that was overtaken would tell of a past.
    if (this.looking) {
      this.lookAgain = true;
      return;
    }
    this.looking = true;
    try {
      do {
        this.lookAgain = false;
        await this.lookOnce();
      } while (this.lookAgain && !this.stopped);
    } catch (error) {
      if (!this.stopped) this.needs.onFault(error as Error);
    } finally {
      this.looking = false;
    }
    clearTimeout(this.lookTimer);
    if (!this.stopped) this.lookTimer = setTimeout(() => void this.look(), LOOK_MS);
  }

  /** Learns when the next are due. */
  private async lookOnce(): Promise<void> {
    await this.ask(async (noted) => {
      const rows = await this.needs.db.query<{ endpoint: number; due_at: string }>(
        'select endpoint, due_at from delivery.next_due()',
      );
      // Written by a process that ended before it told the others of the endpoint.
      if (rows.some(({ endpoint }) => !this.needs.endpoint(endpoint))) await this.needs.refreshEndpoints();
      this.due.clear();
      for (const { endpoint, due_at } of rows)
        if (!this.leaving.takes(endpoint)) this.due.set(endpoint, Date.parse(due_at));
      for (const [no, ms] of noted) sooner(this.due, no, ms);
    });
    this.schedule();
  }

  /** Keeps what is noted while `work` asks the database, for it to believe beside the answer. */
  private async ask(work: (noted: ReadonlyMap<number, number>) => Promise<void>): Promise<void> {
    const noted = new Map<number, number>();
    this.asking.add(noted);
    try {
      await work(noted);
    } finally {
      this.asking.delete(noted);
    }
  }

  /** Claims now what is due where there is room, else at the next time that something is. */
  private schedule(): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    const now = this.now();
    let next = Infinity;
    for (const [no, due] of this.due) {
      if (due > now) next = Math.min(next, due);
      else if (this.roomOf(no) > 0) {
        void this.claim();
        return;
      }
    }
    if (next < Infinity) this.timer = setTimeout(() => this.schedule(), Math.min(next - now, LONGEST_TIMER_MS));
  }

  private roomOf(no: number): number {
    const endpoint = this.needs.endpoint(no);
    return endpoint && !endpoint.row.config.ordered ? Math.min(CLAIM_OF_ONE, this.needs.room(endpoint)) : 0;
  }

  private async claim(): Promise<void> {
    if (this.claiming) {
      this.again = true;
      return;
    }
    this.claiming = true;
    try {
      do {
        this.again = false;
        await this.claimOnce();
      } while (this.again && !this.stopped);
    } catch (error) {
      if (!this.stopped) this.needs.onFault(error as Error);
    } finally {
      this.claiming = false;
    }
  }

  private async claimOnce(): Promise<void> {
    const { db, isSure, leases } = this.needs;
    const now = this.now();
    const endpoints: number[] = [];
    const rooms: number[] = [];
    let total = 0;
    // As they are now: what is put at the end of the line below must not come around again.
    for (const [no, due] of [...this.due]) {
      if (total >= CLAIM) break;
      if (due > now) continue;
      const room = Math.min(this.roomOf(no), CLAIM - total);
      if (room <= 0) continue;
      endpoints.push(no);
      rooms.push(room);
      total += room;
      // Those that get their turn go to the end of the line.
      this.due.delete(no);
      this.due.set(no, due);
    }
    if (endpoints.length === 0 || !isSure()) return;
    await leases.writing((begin) => this.take(endpoints, rooms, begin()));
    await this.ask(async (noted) => {
      const next = await db.query<{ endpoint: number; due_at: string | null }>(
        'select e.no as endpoint, (select min(r.due_at) from delivery.retry r where r.endpoint = e.no) as due_at from unnest($1::integer[]) as e (no)',
        [endpoints],
      );
      for (const { endpoint, due_at } of next) {
        if (due_at === null) this.due.delete(endpoint);
        else this.due.set(endpoint, Date.parse(due_at));
        if (noted.has(endpoint)) sooner(this.due, endpoint, noted.get(endpoint)!);
      }
    });
    this.schedule();
  }

  private async take(endpoints: readonly number[], rooms: readonly number[], batch: Batch): Promise<void> {
    const { db, clock, metrics, dispatch } = this.needs;
    const claim = 'select * from delivery.claim($1, $2, $3, $4, $5)';
    const rows = await db.tx(
      (sql) => sql.query<ClaimedRow>(claim, [batch.worker, batch.id, clock(), endpoints, rooms]),
      { lazy: true },
    );
    metrics.retriesClaimed.inc(rows.length);
    if (rows.length === 0 || this.stopped) return;
    batch.size = rows.length;
    dispatch(rows.map((row) => taskOf(row, { endpoint: row.endpoint, coalesce: row.coalesce_key, batch, lane: null })));
  }
}

/** Whether it was sooner than what was known. */
function sooner(times: Map<number, number>, endpoint: number, dueMs: number): boolean {
  const known = times.get(endpoint);
  if (known !== undefined && known <= dueMs) return false;
  times.set(endpoint, dueMs);
  return true;
}
