import { OneAtATime } from '#kernel';

/** A round is run so long after the last one, if nobody asks for it before. */
const LOOK_MS = 1_000;

/** Runs the same work again and again, one round at a time. Who wakes it during a round gets another right behind. */
export abstract class Rounds {
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private readonly rounds = new OneAtATime(() => this.next());

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
    void this.rounds.run();
  }

  /** Waits for the round under way, and runs no more. */
  async stop(): Promise<void> {
    this.kill();
    await this.rounds.end();
  }

  /** Runs no more, as a killed process does. */
  kill(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    void this.rounds.end();
  }

  private async next(): Promise<void> {
    clearTimeout(this.timer);
    try {
      await this.round();
    } catch (error) {
      if (!this.stopped) this.onFault(error as Error);
    }
    if (!this.stopped) this.timer = setTimeout(() => this.wake(), LOOK_MS);
  }
}
