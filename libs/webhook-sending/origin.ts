import type { DialSettings, DialTarget } from './dial';
import { Lane } from './lane';

/** Somebody who waits for a lane; answers false when it no longer wants one. */
export type Waiter = (lane: Lane) => boolean;

/** The lanes of one origin: the last one used is the first one taken, so that surplus connections grow idle and close. */
export class Origin {
  private readonly idle: Lane[] = [];
  private readonly waiting: Waiter[] = [];
  private waitingFrom = 0;
  busy = 0;
  lastUsed = 0;

  constructor(
    readonly name: string,
    private readonly target: DialTarget,
    private readonly settings: DialSettings,
    private readonly limit: number,
  ) {}

  get queued(): number {
    return this.waiting.length - this.waitingFrom;
  }

  get isIdle(): boolean {
    return this.busy === 0 && this.queued === 0;
  }

  take(waiter: Waiter): void {
    const lane = this.idle.pop() ?? (this.busy < this.limit ? this.newLane() : undefined);
    if (!lane) this.waiting.push(waiter);
    else this.lend(lane, waiter);
  }

  /** Gives a lane back; one that is `spent` (aborted, or failed) is dropped, and a waiter gets a new one. */
  release(lane: Lane, spent: boolean, now: number): void {
    this.busy--;
    this.lastUsed = now;
    if (spent) lane.destroy();
    let free: Lane | undefined = spent ? undefined : lane;
    while (this.queued > 0 && this.busy < this.limit) {
      const waiter = this.waiting[this.waitingFrom++]!;
      free ??= this.newLane();
      if (this.lend(free, waiter)) free = undefined;
    }
    if (this.queued === 0 && this.waitingFrom > 0) {
      this.waiting.length = 0;
      this.waitingFrom = 0;
    }
    if (free) this.idle.push(free);
  }

  /** Closes the connections that have been idle for as long as they may. */
  sweep(now: number): void {
    const stale = this.idle.filter((lane) => lane.isStale(now));
    for (const lane of stale) {
      this.idle.splice(this.idle.indexOf(lane), 1);
      lane.destroy();
    }
  }

  newLane(): Lane {
    return new Lane(this.name, this.target, this.settings);
  }

  close(): void {
    for (const lane of this.idle.splice(0)) lane.destroy();
  }

  private lend(lane: Lane, waiter: Waiter): boolean {
    this.busy++;
    const taken = waiter(lane);
    if (!taken) this.busy--;
    return taken;
  }
}
