/** A rate without bursts: one at a time, each `1 / perSecond` after the one before, whatever has been saved up. */
export class Pace {
  private next = 0;

  constructor(readonly perSecond: number | null) {}

  /** Milliseconds until one more may go. */
  waitMs(now: number): number {
    return this.perSecond === null ? 0 : Math.max(0, this.next - now);
  }

  went(now: number): void {
    if (this.perSecond !== null) this.next = Math.max(now, this.next) + 1000 / this.perSecond;
  }
}
