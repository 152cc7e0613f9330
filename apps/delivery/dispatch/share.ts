const FIRST = 8;
/** An attempt that takes longer makes an endpoint a slow one. */
const SLOW_MS = 1_000;
const SMOOTHING = 0.2;

/**
 * How many exchanges an endpoint may have in flight: more with every quick answer, up to `max`; half as many after a slow one;
 * never none.
 */
export class Share {
  private width = FIRST;
  /** Smoothed duration of an exchange; until the first it is taken to be quick. */
  latencyMs = 5;

  constructor(private readonly max: number) {}

  get limit(): number {
    return Math.min(this.width, this.max);
  }

  took(ms: number, wasAnswered: boolean): void {
    this.latencyMs += (ms - this.latencyMs) * SMOOTHING;
    if (ms >= SLOW_MS) this.width = Math.max(1, this.width >> 1);
    else if (wasAnswered && this.width < this.max) this.width++;
  }

  /** Deliveries that would be sent within `ms` at the present speed. */
  within(ms: number): number {
    return Math.ceil((this.limit * ms) / Math.max(1, this.latencyMs));
  }
}
