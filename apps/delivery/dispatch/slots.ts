import { Fifo } from './fifo';
import type { Lane } from './lane';

/** While lanes wait for slots: how often those are looked for that hold theirs without an answer. */
const LOOK_FOR_STUCK_MS = 50;
/** What stuck lanes hold is not counted, up to this multiple of the slots. */
const MOST_OPEN = 4;

/** The exchanges that may be under way at once, and the lanes that take turns when all are. */
export class Slots {
  inFlight = 0;
  /** Exchanges of lanes that are stuck. */
  private stuck = 0;
  private readonly line = new Fifo<Lane>();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly concurrency: number,
    private readonly needs: { readonly lanes: () => Iterable<Lane>; readonly pump: (lane: Lane) => void },
  ) {}

  get isFree(): boolean {
    return this.inFlight - this.stuck < this.concurrency && this.inFlight < this.concurrency * MOST_OPEN;
  }

  /** How many exchanges a lane may have: while others wait, none takes more than an even part of the slots. */
  widthOf(lane: Lane): number {
    if (this.line.length === 0) return lane.limit;
    return Math.min(lane.limit, Math.max(1, Math.floor(this.concurrency / (this.line.length + 1))));
  }

  take(): void {
    this.inFlight++;
  }

  /** An exchange of the lane has ended; told before the lane is. */
  giveBack(lane: Lane): void {
    if (lane.isStuck) this.stuck -= lane.inFlight;
    lane.isStuck = false;
    this.inFlight--;
  }

  /** The lane is about to get another target: what is under way to this one takes no slot from anybody any more. */
  setAside(lane: Lane): void {
    if (!lane.isStuck) this.stuck += lane.inFlight;
    lane.isStuck = false;
  }

  /** One of those that were set aside has ended. */
  giveBackAside(lane: Lane): void {
    lane.former--;
    this.stuck--;
    this.inFlight--;
  }

  wait(lane: Lane): void {
    if (lane.inLine) return;
    lane.inLine = true;
    this.line.push(lane);
    this.timer ??= setTimeout(() => this.lookForStuck(), LOOK_FOR_STUCK_MS);
  }

  /** The first in the line tries again. */
  next(): void {
    const waiting = this.line.shift();
    if (!waiting) return;
    waiting.inLine = false;
    this.needs.pump(waiting);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Endpoints that hang must not sit on the slots until their time-outs: others wait. */
  private lookForStuck(): void {
    this.timer = undefined;
    if (this.stopped || this.line.length === 0) return;
    const now = performance.now();
    for (const lane of this.needs.lanes()) {
      if (lane.isStuck || !lane.isSilent(now)) continue;
      lane.isStuck = true;
      this.stuck += lane.inFlight;
    }
    for (let waiting = this.line.length; waiting > 0 && this.isFree; waiting--) this.next();
    if (this.line.length > 0) this.timer ??= setTimeout(() => this.lookForStuck(), LOOK_FOR_STUCK_MS);
  }
}
