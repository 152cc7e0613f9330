import { setTimeout as pause } from 'node:timers/promises';
import { instant, plus, type Clock, type Instant } from '#kernel';
import { arrayOrNull, plainArray, plainArrayOrNull, type Database, type Sql } from '#postgres';
import { isHeldBy } from '../dispatch/task';
import type { Metrics } from '../metrics';
import type { Decision, Outcome } from './outcome';

export interface RecorderNeeds {
  readonly db: Database;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly worker: () => string;
  /** The outcomes as they are to be written, as of the same transaction. */
  readonly reopen: (sql: Sql, outcomes: readonly Outcome[]) => Promise<readonly Outcome[]>;
  /** More to write in the same transaction, once it is known which decisions counted. */
  readonly alongside: (sql: Sql, counted: readonly Outcome[]) => Promise<void>;
  /** Called after the commit. `counted`: their decision was written, or needed no writing; the others had been decided otherwise. */
  readonly onRecorded: (counted: readonly Outcome[], others: readonly Outcome[]) => void;
  /** Called after the commit with the batches of which all is recorded now. */
  readonly onOver: (batches: readonly string[]) => void;
  readonly onFault: (error: Error) => void;
}

const MAX_BATCH = 500;
/** For others to come along: nobody waits for an attempt to be written, but the next delivery of an `ordered` endpoint's entity. */
const MAX_WAIT_MS = 25;
const MAX_WAIT_IN_ORDER_MS = 2;
/** Outcomes that may wait, as when the database is away, before dispatch pauses. */
const FULL = 4_000;
const LONGEST_PAUSE_MS = 2_000;
/** What the column of an attempt's number holds: who is sent something again more often than that has several of it. */
const HIGHEST_NUMBER = 2 ** 15 - 1;

/** Writes outcomes in batches: attempts, decisions, and the end of leases, in one statement. */
export class Recorder {
  private waiting: Outcome[] = [];
  private timer: NodeJS.Timeout | undefined;
  private isHurried = false;
  private writing: Promise<void> | undefined;
  private dead = false;

  constructor(private readonly needs: RecorderNeeds) {}

  get full(): boolean {
    return this.waiting.length >= FULL;
  }

  add(outcome: Outcome): void {
    this.waiting.push(outcome);
    if (this.writing) return;
    if (this.waiting.length >= MAX_BATCH) this.start();
    else this.startSoon(isAwaited(outcome));
  }

  /** Resolves when all that was added is written. */
  async flush(): Promise<void> {
    while (this.waiting.length > 0 || this.writing) {
      this.start();
      await this.writing;
    }
  }

  /** Forgets everything at once, as a killed process does. */
  kill(): void {
    this.dead = true;
    this.waiting = [];
    clearTimeout(this.timer);
  }

  private start(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.writing || this.waiting.length === 0 || this.dead) return;
    this.writing = this.write(this.waiting.splice(0, MAX_BATCH)).finally(() => {
      this.writing = undefined;
      if (this.waiting.length >= MAX_BATCH) this.start();
      else if (this.waiting.length > 0) this.startSoon(this.waiting.some(isAwaited));
    });
  }

  private startSoon(hurry: boolean): void {
    if (this.timer && (this.isHurried || !hurry)) return;
    clearTimeout(this.timer);
    this.isHurried = hurry;
    this.timer = setTimeout(() => this.start(), hurry ? MAX_WAIT_IN_ORDER_MS : MAX_WAIT_MS);
  }

  private async write(outcomes: readonly Outcome[]): Promise<void> {
    const finished = finishedBatches(outcomes);
    let isAgain = false;
    for (let waitMs = 10; !this.dead; waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const attempted = outcomes.filter(({ exchange }) => exchange !== null);
        // The answer to the commit may have been lost, and an attempt is listed once.
        const unwritten = isAgain ? await this.unwritten(attempted) : attempted;
        isAgain = true;
        const { counted, others } = await this.writeOnce(outcomes, unwritten, finished);
        this.needs.onOver(finished);
        this.needs.metrics.recordBatch.observe(outcomes.length);
        this.needs.onRecorded(counted, others);
        return;
      } catch (error) {
        this.needs.onFault(error as Error);
        await pause(waitMs);
      }
    }
  }

  /** Of these, whose attempts are not in the database. */
  private async unwritten(attempted: readonly Outcome[]): Promise<readonly Outcome[]> {
    const rows = await this.needs.db.query<{ delivery_id: string; at: Instant }>(
      'select delivery_id, at from delivery.attempt where delivery_id = any($1)',
      [attempted.map(({ task }) => task.id)],
    );
    const written = new Set(rows.map(({ delivery_id, at }) => `${delivery_id} ${at}`));
    return attempted.filter(({ task, exchange }) => !written.has(`${task.id} ${instant(exchange!.startedAt)}`));
  }

  private async writeOnce(
    outcomes: readonly Outcome[],
    attempted: readonly Outcome[],
    finished: readonly string[],
  ): Promise<Written> {
    const { db, reopen, alongside } = this.needs;
    if (outcomes.every((outcome) => !isExceptional(outcome) && outcome.task.coalesce === null)) {
      await this.record(db, this.needs.worker(), [], attempted, finished);
      return { counted: outcomes, others: [] };
    }
    return db.tx(
      async (sql) => {
        const present = await reopen(sql, outcomes);
        const worker = this.needs.worker();
        const decided = deciding(present, worker);
        const ids = await this.record(sql, worker, decided, attempted, finished);
        const own = new Set(decided);
        const counts = (outcome: Outcome) => !isExceptional(outcome) || (own.has(outcome) && ids.has(outcome.task.id));
        const counted = present.filter(counts);
        await alongside(sql, counted);
        return { counted, others: present.filter((outcome) => !counts(outcome)) };
      },
      { lazy: true },
    );
  }

  /** An attempt that is written is a fact; lazily, since after a crash of the database it is made again. Returns whose decision counted. */
  private async record(
    sql: Sql,
    worker: string,
    decided: readonly Outcome[],
    attempted: readonly Outcome[],
    finished: readonly string[],
  ): Promise<ReadonlySet<string>> {
    const now = this.needs.clock();
    const decisions = decided.length > 0 ? decisionColumns(decided, now) : NO_DECISIONS;
    const params = [
      worker,
      now,
      ...attemptColumns(attempted),
      ...decisions,
      finished,
      erasedColumn(attempted),
      decided.length > 0 ? decided.map(({ task }) => task.ladder) : null,
    ];
    const [row] = await sql.query<{ ids: string[] }>(RECORD, params);
    return new Set(row!.ids);
  }
}

/** `others` had been decided otherwise before. */
interface Written {
  readonly counted: readonly Outcome[];
  readonly others: readonly Outcome[];
}

const RECORD = `select delivery.record(${Array.from({ length: 25 }, (_, n) => `$${n + 1}`).join(', ')}) as ids`;

/** The next of its entity waits until it is written. */
const isAwaited = ({ task }: Outcome): boolean => task.lane !== null;

/** On the common way, delivered at the first attempt, the attempt says it all. */
const isExceptional = ({ task, decision }: Outcome): boolean => decision.state !== 'delivered' || task.exceptional;

/**
 * What is to be decided by. What was under way in an `ordered` endpoint's lane when this worker was given up is there twice: that its receiver has
 * taken it is true in every life of the worker, and what else came of it in a former one counts no more.
 */
function deciding(outcomes: readonly Outcome[], worker: string): readonly Outcome[] {
  const taken = new Set<string>();
  for (const { task, decision } of outcomes)
    if (task.lane !== null && decision.state === 'delivered') taken.add(task.id);
  return outcomes.filter((outcome) => {
    const { task, decision } = outcome;
    if (task.lane !== null && taken.has(task.id)) return decision.state === 'delivered';
    return isExceptional(outcome) && isHeldBy(worker, task);
  });
}

function attemptColumns(outcomes: readonly Outcome[]): unknown[] {
  const exchanges = outcomes.map(({ exchange }) => exchange!);
  return [
    plainArray(outcomes.map(({ task }) => task.id)),
    plainArray(outcomes.map(({ task }) => Math.min(task.number, HIGHEST_NUMBER))),
    plainArray(exchanges.map(({ startedAt }) => instant(startedAt))),
    plainArray(exchanges.map(({ durationMs }) => Math.round(durationMs))),
    plainArray(exchanges.map(({ ok }) => ok)),
    plainArrayOrNull(exchanges.map(({ statusCode }) => statusCode ?? null)),
    arrayOrNull(exchanges.map(({ error }) => error?.stage ?? null)),
    arrayOrNull(exchanges.map(({ error }) => error?.message ?? null)),
    arrayOrNull(exchanges.map(({ response }) => response ?? null)),
  ];
}

/** Of most attempts there is nothing to say. */
const erasedColumn = (outcomes: readonly Outcome[]): unknown =>
  arrayOrNull(outcomes.map(({ task }) => task.erased || null));

function decisionColumns(outcomes: readonly Outcome[], now: Instant): unknown[] {
  return [
    outcomes.map(({ task }) => task.id),
    outcomes.map(({ task }) => task.batch?.id ?? null),
    arrayOrNull(outcomes.map(({ task }) => task.lane?.name ?? null)),
    outcomes.map(({ task }) => task.endpoint),
    outcomes.map(({ task }) => task.sequence),
    outcomes.map(({ decision }) => (decision.state === 'waiting' ? 'retrying' : decision.state)),
    outcomes.map(({ decision }) => (decision.state === 'discarded' ? decision.reason : null)),
    outcomes.map(({ task, decision }) => ('tries' in decision ? decision.tries : task.tries)),
    outcomes.map(({ decision }) => dueAt(decision, now)),
    outcomes.map(({ task }) => task.coalesce),
    arrayOrNull(outcomes.map(({ task }) => task.replayedAt ?? null)),
  ];
}

const NO_DECISIONS = Array<null>(11).fill(null);

function dueAt(decision: Decision, now: Instant): Instant | null {
  if (decision.state === 'waiting') return plus(now, decision.ms);
  return decision.state === 'retrying' ? instant(decision.dueMs) : null;
}

function finishedBatches(outcomes: readonly Outcome[]): string[] {
  const finished: string[] = [];
  for (const { task } of outcomes)
    if (task.batch && ++task.batch.recorded === task.batch.size) finished.push(task.batch.id);
  return finished;
}
