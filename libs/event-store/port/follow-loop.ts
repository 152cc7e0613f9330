import type { EventStore, LogBatch, LogPage, ReadAllOptions } from './event-store';

/** The safety net below the wake-ups. */
const POLL_MS = 1_000;
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 2_000;

type FollowOptions = Parameters<EventStore['follow']>[0];

export interface LogReader {
  readAll(options: ReadAllOptions): Promise<LogPage>;
  /** Calls `wake` after every append that this process can hear of; returns the way to stop. */
  onAppend(wake: () => void): () => void;
}

/** `follow` for a store that can be read by position: read, hand out, sleep until woken. Ends when `signal` aborts, whatever it waits for. */
export async function* followLoop(
  log: LogReader,
  { after, maxBatch, signal, onFault }: FollowOptions,
): AsyncGenerator<LogBatch> {
  const bell = new Bell(signal);
  const stop = log.onAppend(() => bell.ring());
  try {
    for (let position = after, backoff = FIRST_BACKOFF_MS; !signal.aborted;) {
      bell.clear();
      const reading = log.readAll({ after: position, limit: maxBatch }).catch((error: Error) => error);
      const batch = await bell.unlessAborted(reading);
      if (batch === 'aborted' || signal.aborted) return;
      if (batch instanceof Error) {
        onFault?.(batch);
        bell.clear();
        await bell.wait(backoff);
        backoff = Math.min(backoff * 2, MAX_BACKOFF_MS);
        continue;
      }
      backoff = FIRST_BACKOFF_MS;
      position = batch.position;
      if (batch.events.length > 0) yield batch;
      if (!batch.isFull) await bell.wait(POLL_MS);
    }
  } finally {
    stop();
    bell.end();
  }
}

/** Rung by appends; a ring between a read and the wait after it is not lost. */
class Bell {
  private rung = false;
  private hear: (() => void) | undefined;
  private interrupt: (() => void) | undefined;
  private readonly onAbort = (): void => {
    this.interrupt?.();
    this.ring();
  };

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener('abort', this.onAbort);
  }

  ring(): void {
    this.rung = true;
    this.hear?.();
  }

  clear(): void {
    this.rung = this.signal.aborted;
  }

  /**
   * What `work` comes to, unless the signal aborts first. Not a race with a promise that lives as long as the follower: such a
   * one would remember every batch it was ever raced with.
   */
  unlessAborted<T>(work: Promise<T>): Promise<T | 'aborted'> {
    return new Promise((resolve, reject) => {
      this.interrupt = () => resolve('aborted');
      work.then((done) => {
        this.interrupt = undefined;
        resolve(done);
      }, reject);
    });
  }

  /** Resolves at the next ring, at once when it has rung since `clear`, and after `ms` at the latest. */
  async wait(ms: number): Promise<void> {
    if (this.rung) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.hear = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.hear = undefined;
  }

  end(): void {
    this.signal.removeEventListener('abort', this.onAbort);
    this.hear?.();
  }
}
