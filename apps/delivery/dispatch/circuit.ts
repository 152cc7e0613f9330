/** Failures in a row, none of them an answer, before an endpoint is only probed. */
const OPENS_AFTER = 25;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Spares an endpoint that cannot be reached, and ourselves: open, one probe at a time goes through, with growing pauses
 * between; the first answer of any kind closes it. Any answer counts as reached: an endpoint that says 500 has its ladder.
 */
export class Circuit {
  private failures = 0;
  private pauseMs = 0;
  private until = 0;

  /** `scale` is RETRY_SCALE. */
  constructor(private readonly scale: number) {}

  get isOpen(): boolean {
    return this.failures >= OPENS_AFTER;
  }

  /** Milliseconds until the next probe; 0 while closed. */
  waitMs(now: number): number {
    return this.isOpen ? Math.max(0, this.until - now) : 0;
  }

  reached(): void {
    this.failures = 0;
    this.pauseMs = 0;
  }

  failed(now: number): void {
    this.failures++;
    if (!this.isOpen) return;
    this.pauseMs = Math.min(Math.max(this.pauseMs * 2, FIRST_PAUSE_MS * this.scale), LONGEST_PAUSE_MS * this.scale);
    this.until = now + this.pauseMs;
  }
}
