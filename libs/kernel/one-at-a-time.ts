/**
 * Runs the same work one at a time. Asked for during a run, it runs once more, for all who asked: what that run saw may be older than what
 * they know of.
 */
export class OneAtATime {
  private running: Promise<void> | undefined;
  private next: Promise<void> | undefined;
  private isEnded = false;

  constructor(private readonly work: () => Promise<void>) {}

  /** Resolves when a run that began after the asking is over, and rejects with what it throws. */
  run(): Promise<void> {
    if (this.next) return this.next;
    if (!this.running) return this.begin();
    const begin = (): Promise<void> => {
      this.next = undefined;
      return this.begin();
    };
    return (this.next = this.running.then(begin, begin));
  }

  /** Begins no more. Resolves when the run under way is over. */
  end(): Promise<void> {
    this.isEnded = true;
    return this.running ?? Promise.resolve();
  }

  private begin(): Promise<void> {
    if (this.isEnded) return Promise.resolve();
    return (this.running = this.work().finally(() => (this.running = undefined)));
  }
}
