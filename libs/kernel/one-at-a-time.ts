/**
 * Runs the same work one at a time. Asked for during a run, it runs once more, for all who asked: what that run saw may be older than what
 * they know of. `work` meets its own faults; what it throws all the same comes out of the runs that were asked for.
 */
export class OneAtATime {
  private running: Promise<void> | undefined;
  private isAsked = false;
  private isEnded = false;

  constructor(private readonly work: () => Promise<void>) {}

  /** Resolves when nothing that was asked for is left to do. */
  run(): Promise<void> {
    if (this.isEnded) return this.running ?? Promise.resolve();
    this.isAsked = true;
    return (this.running ??= this.all());
  }

  /** Begins no more. Resolves when the run under way is over. */
  end(): Promise<void> {
    this.isEnded = true;
    return this.running ?? Promise.resolve();
  }

  private async all(): Promise<void> {
    try {
      while (this.isAsked && !this.isEnded) {
        this.isAsked = false;
        await this.work();
      }
    } finally {
      this.running = undefined;
    }
  }
}
