import { setTimeout as sleep } from 'node:timers/promises';
import type { LogBatch, LogPage, Position } from '#event-store';
import type { Semaphore } from '#kernel';
import { isEngineOutage } from '#platform';
import type { Database } from '#postgres';
import { FencedError, openBuild, writeStretch, type Checkpoint, type OpenedBuild } from './checkpoint';
import type { LogFeed } from './log-feed';
import type { Progress } from './progress';
import type { Projection, ProjectionBuild } from './projection';
import { switchBuild } from './switch-build';

const BATCH = 1_000;
const POISON_PAUSE_MS = { first: 1_000, last: 60_000 };

/** Why a projection does not move. */
export interface Stopped {
  readonly position: Position;
  readonly eventId: string;
  readonly eventType: string;
  readonly reason: string;
}

export interface RunnerParts {
  readonly db: Database;
  readonly feed: LogFeed;
  readonly progress: Pick<Progress, 'announce'>;
  /** What the transactions of those that are not urgent wait at, so that connections are left for others. */
  readonly gate: Semaphore;
  readonly onFault: (error: Error) => void;
  readonly onBatch?: (name: string, events: number, ms: number) => void;
  readonly onStopped?: (name: string, stopped: Stopped) => void;
  readonly poisonPauseMs?: { readonly first: number; readonly last: number };
}

/** Moves one projection along the log, for as long as this process leads it. */
export class ProjectionRunner {
  checkpoint: Checkpoint | undefined;
  stopped: Stopped | undefined;
  private limit = BATCH;
  private lastStart = -Infinity;

  constructor(
    readonly projection: Projection,
    private readonly parts: RunnerParts,
  ) {}

  /**
   * Leads under `epoch` until `signal` aborts, another leads, or a fault leaves a statement without its answer: that one may still run
   * when the next has been sent, and only under another epoch does it find nothing to move.
   */
  async lead(epoch: number, signal: AbortSignal): Promise<void> {
    const { db, onFault } = this.parts;
    try {
      while (!signal.aborted) {
        const opened = await openBuild(db, this.projection, epoch);
        this.checkpoint = opened.checkpoint;
        await this.run(opened, signal);
      }
    } catch (error) {
      onFault(error as Error);
    } finally {
      this.checkpoint = undefined;
      this.stopped = undefined;
    }
  }

  private async run(opened: OpenedBuild, signal: AbortSignal): Promise<void> {
    let pause = 0;
    if (await this.hasSwitched(opened, signal)) return;
    while (!signal.aborted) {
      const batch = await this.next(opened.checkpoint, signal);
      if (!batch) return;
      try {
        await this.take(opened, batch);
        pause = 0;
      } catch (error) {
        opened.build.forget?.();
        if (error instanceof FencedError || isEngineOutage(error)) throw error;
        pause = this.narrow(batch, error as Error, pause);
        await sleep(pause, undefined, { signal }).catch(() => undefined);
      }
      if (!batch.isFull && (await this.hasSwitched(opened, signal))) return;
    }
  }

  /** A build beside the old one takes over as soon as it has caught up. */
  private async hasSwitched(opened: OpenedBuild, signal: AbortSignal): Promise<boolean> {
    if (opened.status !== 'building' || !(await switchBuild(this.parts.db, this.projection, opened, signal)))
      return false;
    this.parts.progress.announce(opened.checkpoint);
    return true;
  }

  private async next({ position }: Checkpoint, signal: AbortSignal): Promise<LogPage | undefined> {
    const { paceMs, urgent } = this.projection;
    const wait = this.lastStart + paceMs - performance.now();
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => undefined);
    const batch = await this.parts.feed.next(position, this.limit, signal, urgent);
    // A full batch means that there is more: no pause before it.
    this.lastStart = batch && !batch.isFull ? performance.now() : -Infinity;
    return batch;
  }

  private async take({ build, checkpoint, status }: OpenedBuild, { events, position }: LogBatch): Promise<void> {
    const wanted = events.filter((event) => this.projection.wants(event));
    if (wanted.length > 0) await this.commit(build, checkpoint, { events: wanted, position });
    checkpoint.position = position;
    this.stopped = undefined;
    this.limit = Math.min(BATCH, this.limit * 2);
    // What is built beside it says nothing of what readers see.
    if (status === 'current') this.parts.progress.announce(checkpoint);
  }

  private async commit(build: ProjectionBuild, checkpoint: Checkpoint, { events, position }: LogBatch): Promise<void> {
    const started = performance.now();
    const { db, gate } = this.parts;
    const write = async () => {
      const { writes, done } = await build.changes(db, { events, position });
      const answers = await writeStretch(db, checkpoint, position, writes);
      checkpoint.known = position;
      done?.(answers);
    };
    await (this.projection.urgent ? write() : gate.run(write));
    this.parts.onBatch?.(this.projection.name, events.length, performance.now() - started);
  }

  /** Halves the batch until the event that cannot be taken stands alone; then stops at it, looking again ever more rarely. */
  private narrow({ events }: LogBatch, error: Error, pause: number): number {
    if (events.length > 1) {
      this.limit = Math.ceil(events.length / 2);
      return 0;
    }
    const event = events[0]!;
    this.limit = 1;
    this.stopped = { position: event.position, eventId: event.id, eventType: event.type, reason: error.message };
    this.parts.onStopped?.(this.projection.name, this.stopped);
    const { first, last } = this.parts.poisonPauseMs ?? POISON_PAUSE_MS;
    return pause === 0 ? first : Math.min(pause * 2, last);
  }
}
