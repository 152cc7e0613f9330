/** A round is run so long after the last one, if nobody asks for it before. */
const LOOK_MS = 1_000;

/** Runs the same work again and again, one round at a time. Who wakes it during a round gets another right behind. */
export abstract class Rounds {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private again = false;
  private stopped = false;

  protected constructor(private readonly onFault: (error: Error) => void) {}

  /** A round that goes on for long ends early when this says so. */
  protected get isStopped(): boolean {
    return this.stopped;
  }

  protected abstract round(): Promise<void>;

  start(): void {
    this.wake();
  }

  wake(): void {
    if (this.stopped) return;
    if (this.running) {
      this.again = true;
      return;
    }
    clearTimeout(this.timer);
    this.running = this.run();
  }

  /** Waits for the round under way, and runs no more. */
  async stop(): Promise<void> {
    this.kill();
    await this.running;
  }

  /** Runs no more, as a killed process does. */
  kill(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    try {
      await this.round();
    } catch (error) {
      if (!this.stopped) this.onFault(error as Error);
    }
    this.running = undefined;
    if (this.stopped) return;
    this.timer = setTimeout(() => this.wake(), this.again ? 0 : LOOK_MS);
    this.again = false;
  }
}
