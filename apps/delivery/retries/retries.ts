import { OneAtATime, type Clock } from '#kernel';
import type { Leases } from '../dispatch/leases';
import { taskOf, type Batch, type Task, type WaitingRow } from '../dispatch/task';
import type { Endpoint } from '../endpoints/endpoint';
import type { Metrics } from '../metrics';
import { Rounds } from '../worker/rounds';
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

/** Deliveries claimed at once, and of one endpoint: small, so that a backlog takes turns with what comes in live. */
const CLAIM = 500;
const CLAIM_OF_ONE = 200;
const LONGEST_TIMER_MS = 60_000;

/**
 * Brings back what waits in delivery.retry when it is due and its endpoint has room. It remembers per endpoint only when the
 * next is due, so a backlog costs nothing until its time. Other processes write rows too, so each round learns anew when the next are due.
 */
export class Retries extends Rounds {
  private readonly due = new Map<number, number>();
  /** Of each question to the database that is under way, what was noted since: its answer may not know of that. */
  private readonly asking = new Set<Map<number, number>>();
  private readonly leaving: Leaving;
  private readonly claims = new OneAtATime(() => this.claim());
  private dueTimer: NodeJS.Timeout | undefined;

  constructor(private readonly needs: RetriesNeeds) {
    super(needs.onFault);
    this.leaving = new Leaving(needs);
  }

  override kill(): void {
    super.kill();
    this.leaving.stop();
    void this.claims.end();
    clearTimeout(this.dueTimer);
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

  private now(): number {
    return Date.parse(this.needs.clock());
  }

  /** Learns when the next are due. */
  protected override async round(): Promise<void> {
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
    if (this.isStopped) return;
    clearTimeout(this.dueTimer);
    const now = this.now();
    let next = Infinity;
    for (const [no, due] of this.due) {
      if (due > now) next = Math.min(next, due);
      else if (this.roomOf(no) > 0) {
        void this.claims.run();
        return;
      }
    }
    if (next < Infinity) this.dueTimer = setTimeout(() => this.schedule(), Math.min(next - now, LONGEST_TIMER_MS));
  }

  private roomOf(no: number): number {
    const endpoint = this.needs.endpoint(no);
    return endpoint && !endpoint.row.config.ordered ? Math.min(CLAIM_OF_ONE, this.needs.room(endpoint)) : 0;
  }

  private async claim(): Promise<void> {
    try {
      await this.claimNow();
    } catch (error) {
      if (!this.isStopped) this.needs.onFault(error as Error);
    }
  }

  private async claimNow(): Promise<void> {
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
    if (rows.length === 0 || this.isStopped) return;
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
