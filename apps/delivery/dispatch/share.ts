const FIRST = 8;
/** An attempt that takes longer makes an endpoint a slow one. */
const SLOW_MS = 1_000;
const SMOOTHING = 0.2;
/** Answers that say, or are a proxy's way to say, that it is too much at present. */
const OVERLOADED: ReadonlySet<number | undefined> = new Set([429, 502, 503, 504]);
/** To begin with where nothing is known, or nothing any more. */
const CAREFUL = 2;

/**
 * How many exchanges an endpoint may have in flight: one more with every quick answer, up to `max`; half as many after a slow one
 * or one that says it is too much, and from there on one more only when all have been answered well; never none.
 */
export class Share {
  private width = FIRST;
  /** Where it was too much before: from there on it grows slowly. */
  private cautiousFrom = Infinity;
  private answeredWell = 0;
  /** Smoothed duration of an exchange; until the first it is taken to be quick. */
  latencyMs = 5;

  constructor(private readonly max: number) {}

  get limit(): number {
    return Math.min(this.width, this.max);
  }

  /** `statusCode` is absent when no answer came. */
  took(ms: number, statusCode: number | undefined): void {
    this.latencyMs += (ms - this.latencyMs) * SMOOTHING;
    if (ms >= SLOW_MS || OVERLOADED.has(statusCode)) {
      this.width = Math.max(1, this.width >> 1);
      this.cautiousFrom = this.width;
      this.answeredWell = 0;
    } else if (statusCode !== undefined && this.width < this.max) this.grow();
  }

  /** It is back after it was away: whoever comes back gets a backlog, and may not be able yet to take what it took before. */
  beginAnew(): void {
    this.width = Math.min(this.width, CAREFUL);
  }

  /** Deliveries that would be sent within `ms` at the present speed. */
  within(ms: number): number {
    return Math.ceil((this.limit * ms) / Math.max(1, this.latencyMs));
  }

  private grow(): void {
    if (this.width >= this.cautiousFrom && ++this.answeredWell < this.width) return;
    this.answeredWell = 0;
    this.width++;
  }
}
