import type { BusMessage } from '../port/bus';

interface Call<M> {
  readonly messages: readonly M[];
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

const MOST_AT_ONCE = 2_000;

/** Calls that come while a write is under way travel together in the next one: one after the other, so in the order of the calls. */
export class Publisher<M = BusMessage> {
  private waiting: Call<M>[] = [];
  private running: Promise<void> | undefined;

  constructor(private readonly write: (messages: readonly M[]) => Promise<void>) {}

  /** Resolves when written; rejects with the error of the write that it travelled in. */
  publish(messages: readonly M[]): Promise<void> {
    if (messages.length === 0) return Promise.resolve();
    return new Promise((done, failed) => {
      this.waiting.push({ messages, done, failed });
      this.running ??= this.run();
    });
  }

  /** Waits for what was published so far. */
  async settled(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const calls = this.take();
      try {
        await this.write(calls.flatMap(({ messages }) => messages));
        for (const { done } of calls) done();
      } catch (error) {
        for (const { failed } of calls) failed(error as Error);
      }
    }
    // In the same turn as the check: a call that comes now starts the next run.
    this.running = undefined;
  }

  private take(): Call<M>[] {
    let count = 0;
    const upTo = this.waiting.findIndex(({ messages }) => (count += messages.length) > MOST_AT_ONCE);
    return this.waiting.splice(0, upTo < 0 ? this.waiting.length : Math.max(1, upTo));
  }
}
