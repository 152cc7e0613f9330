import { PAGE_SIZE } from '#kernel';
import { MAX_BATCH, PoisonMessageError, type ReceivedMessage, type SubscribeOptions } from '../port/bus';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

interface Slice {
  readonly messages: readonly ReceivedMessage[];
  readonly done: (wasHandled: boolean) => void;
}

/**
 * Kafka hands over one partition at a time; a handler is quicker with the messages of many at once. Slices that arrive while
 * a batch is handled make up the next one. A partition has one slice here at a time, so order per key holds.
 */
export class BatchCollector {
  private readonly waiting: Slice[] = [];
  /** Handled, and not yet known to the group. */
  private handled: ReceivedMessage[] = [];
  private committing: Promise<void> | undefined;
  private running = false;
  private work: Promise<void> = Promise.resolve();
  private stopped = false;
  private signal = new AbortController();
  private endPause: (() => void) | undefined;

  constructor(
    private readonly options: Pick<SubscribeOptions, 'onBatch' | 'onFault' | 'maxBatch'>,
    private readonly park: (error: PoisonMessageError) => Promise<void>,
    /** Called with what was handled, one call at a time; what it could not commit goes with the next. */
    private readonly commit: (messages: readonly ReceivedMessage[]) => Promise<void>,
  ) {}

  /** Resolves when the messages are handled (true), or when the collector was stopped before (false). */
  handle(messages: readonly ReceivedMessage[]): Promise<boolean> {
    if (this.stopped) return Promise.resolve(false);
    return new Promise((done) => {
      this.waiting.push({ messages, done });
      if (this.running) return;
      this.running = true;
      // The other partitions of the same fetch arrive in this turn.
      this.work = new Promise(setImmediate).then(() => this.run());
    });
  }

  /** Lets go of all but the batch in hand, which still ends and is committed. `abort` asks it to hurry. */
  stop({ abort }: { readonly abort: boolean }): void {
    this.stopped = true;
    if (abort) this.signal.abort();
    this.endPause?.();
    for (const { done } of this.waiting.splice(0)) done(false);
  }

  /** Resolves when no batch is in hand. */
  idle(): Promise<void> {
    return this.work;
  }

  /** Commits what was handled; resolves when that is done or has failed. */
  async flush(): Promise<void> {
    await this.committing;
    if (this.handled.length > 0) this.committing ??= this.commitAll().finally(() => (this.committing = undefined));
    await this.committing;
  }

  private async commitAll(): Promise<void> {
    const messages = this.handled;
    this.handled = [];
    try {
      await this.commit(messages);
    } catch (error) {
      // Handled, but the group does not know: if nothing commits them later, they come again.
      this.handled = [...messages, ...this.handled];
      this.options.onFault?.(error as Error);
    }
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const slices = this.take();
      const messages = slices.flatMap((slice) => slice.messages);
      const wasHandled = await this.handOver(messages);
      if (wasHandled) {
        this.handled.push(...messages);
        // The next batch need not wait for this.
        void this.flush();
      }
      for (const { done } of slices) done(wasHandled);
    }
    this.running = false;
  }

  private async handOver(messages: readonly ReceivedMessage[]): Promise<boolean> {
    let rest = messages;
    for (let failures = 0; rest.length > 0;) {
      try {
        await this.options.onBatch(rest, this.signal.signal);
        return true;
      } catch (error) {
        try {
          if (error instanceof PoisonMessageError && rest.includes(error.poison)) {
            await this.park(error);
            rest = rest.filter((message) => message !== error.poison);
            continue;
          }
          this.options.onFault?.(error as Error);
        } catch (unparked) {
          this.options.onFault?.(unparked as Error);
        }
        if (this.stopped) return false;
        await this.pause(Math.min(FIRST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS));
        if (this.stopped) return false;
      }
    }
    return true;
  }

  private take(): Slice[] {
    const most = this.options.maxBatch ?? MAX_BATCH;
    let [count, size] = [0, 0];
    const upTo = this.waiting.findIndex(({ messages }) => {
      for (const { value } of messages) size += value.length;
      return (count += messages.length) > most || size > PAGE_SIZE;
    });
    return this.waiting.splice(0, upTo < 0 ? this.waiting.length : Math.max(1, upTo));
  }

  private pause(ms: number): Promise<void> {
    return new Promise((over) => {
      const timer = setTimeout(() => this.endPause?.(), ms);
      this.endPause = () => {
        clearTimeout(timer);
        this.endPause = undefined;
        over();
      };
    });
  }
}
