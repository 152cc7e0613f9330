import { PoisonMessageError, type ReceivedMessage, type SubscribeOptions } from '../port/bus';

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
  private running = false;
  private stopped = false;
  private signal = new AbortController();
  private endPause: (() => void) | undefined;

  constructor(
    private readonly options: Pick<SubscribeOptions, 'onBatch' | 'onFault' | 'maxBatch'>,
    private readonly park: (error: PoisonMessageError) => Promise<void>,
    /** Called once a batch is handled, before its slices are told. */
    private readonly commit: (messages: readonly ReceivedMessage[]) => Promise<void>,
  ) {}

  /** Resolves when the messages are handled and committed (true), or when the collector was stopped before (false). */
  handle(messages: readonly ReceivedMessage[]): Promise<boolean> {
    if (this.stopped) return Promise.resolve(false);
    return new Promise((done) => {
      this.waiting.push({ messages, done });
      if (this.running) return;
      this.running = true;
      // The other partitions of the same fetch arrive in this turn.
      setImmediate(() => void this.run());
    });
  }

  /** Lets go of all but the batch in hand, which still ends and is committed. `abort` asks it to hurry. */
  stop({ abort }: { readonly abort: boolean }): void {
    this.stopped = true;
    if (abort) this.signal.abort();
    this.endPause?.();
    for (const { done } of this.waiting.splice(0)) done(false);
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const slices = this.take();
      const messages = slices.flatMap((slice) => slice.messages);
      let wasHandled = await this.handOver(messages);
      if (wasHandled) {
        try {
          await this.commit(messages);
        } catch (error) {
          // Handled, but the group does not know: the messages come again, to us or to another.
          this.options.onFault?.(error as Error);
          wasHandled = false;
        }
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
    const most = this.options.maxBatch ?? 500;
    let count = 0;
    const upTo = this.waiting.findIndex(({ messages }) => (count += messages.length) > most);
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
