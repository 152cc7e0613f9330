import type { AllStreamSubscription, ResolvedEvent } from '@eventstore/db-client';

/**
 * One subscription, read in batches. Rejects for every way in which it can end: an error, a clean end by the server
 * (which is no error to the client), the connection given up, and silence while the log goes on.
 */
export class SubscriptionReader {
  private failure: Error | undefined;
  private ring: (() => void) | undefined;
  private readonly fail = (error: Error): void => {
    this.failure ??= error;
    this.ring?.();
  };
  private readonly onEnd = () => this.fail(new Error('the server ended the subscription'));
  private readonly onGone = () => this.fail(new Error('the connection was given up'));
  private readonly onAbort = () => this.ring?.();

  constructor(
    private readonly subscription: AllStreamSubscription,
    private readonly options: {
      readonly maxBatch: number;
      readonly signal: AbortSignal;
      readonly gone: AbortSignal;
      /** After so many milliseconds without an event, `isBehind` is asked. */
      readonly watchMs: number;
      /** Whether the log holds something newer than what was handed out. */
      readonly isBehind: () => Promise<boolean>;
    },
  ) {
    subscription.on('error', this.fail).on('end', this.onEnd).on('close', this.onEnd);
    subscription.on('readable', () => this.ring?.());
    options.signal.addEventListener('abort', this.onAbort);
    if (options.gone.aborted) this.onGone();
    else options.gone.addEventListener('abort', this.onGone);
  }

  /** The next events, at least one; none when the signal has aborted. */
  async next(): Promise<ResolvedEvent[]> {
    for (let silences = 0; !this.options.signal.aborted;) {
      const events = this.take();
      if (events.length > 0) return events;
      if (this.failure) throw this.failure;
      if (await this.rung(this.options.watchMs)) continue;
      // Twice, because an event may be on its way while we ask.
      silences = (await this.options.isBehind()) && this.subscription.readableLength === 0 ? silences + 1 : 0;
      if (silences === 2) throw new Error('the subscription has gone silent while the log goes on');
    }
    return [];
  }

  stop(): void {
    this.options.signal.removeEventListener('abort', this.onAbort);
    this.options.gone.removeEventListener('abort', this.onGone);
    void this.subscription.unsubscribe().catch(this.fail);
  }

  private take(): ResolvedEvent[] {
    const events: ResolvedEvent[] = [];
    while (events.length < this.options.maxBatch) {
      const event = this.subscription.read() as ResolvedEvent | null;
      if (event === null) break;
      events.push(event);
    }
    return events;
  }

  private async rung(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const rung = await new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, ms, false);
      this.ring = () => resolve(true);
    });
    this.ring = undefined;
    clearTimeout(timer);
    return rung;
  }
}
