/** Turns are asked for at once for so long, or one where that is longer. */
const SPAN_SECONDS = 0.1;

/**
 * A rate without bursts, whatever has been saved up, shared by all who send: turns one after the other are given out to each for a
 * span of time, and what is not used in it is lost.
 */
export class Pace {
  private next = 0;
  private until = 0;
  /** Turns have been asked for, and not given yet. */
  isAsked = false;

  constructor(readonly perSecond: number | null) {}

  /** How many turns to ask for. */
  get span(): number {
    return Math.max(1, Math.ceil((this.perSecond ?? 0) * SPAN_SECONDS));
  }

  /** Milliseconds until one more may go; undefined while there is no turn for it. */
  waitMs(now: number): number | undefined {
    if (this.perSecond === null) return 0;
    const at = Math.max(this.next, now);
    return at < this.until ? at - now : undefined;
  }

  /** A span of turns is this one's from then on. */
  given(from: number): void {
    this.isAsked = false;
    this.next = Math.max(this.next, from);
    this.until = from + (this.span * 1000) / this.perSecond!;
  }

  went(now: number): void {
    if (this.perSecond !== null) this.next = Math.max(now, this.next) + 1000 / this.perSecond;
  }
}
