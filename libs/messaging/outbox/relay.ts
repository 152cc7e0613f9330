import type { Bus, BusMessage, ReceivedMessage, Subscription } from '../port/bus';

/** So long what is on its way may take after `close`. Then it is left to whoever relays next, who sends it again. */
const LAST_MS = 3_000;

export interface RelayOptions {
  /** The bus that the outbox is the log of. */
  readonly outbox: Bus;
  readonly target: Bus;
  readonly topics: readonly string[];
  /** The message as others may read it: on this side of the bus what is personal is sealed. */
  readonly open?: (message: ReceivedMessage) => BusMessage | Promise<BusMessage>;
  readonly onRelayed?: (count: number) => void;
  readonly onFault?: (error: Error) => void;
  readonly lastMs?: number;
}

/**
 * Carries the outbox to another bus: one more consumer group of it. Messages of a key go one after the other; after a crash
 * some go again, with the same ids. Several relays share the partitions. Close the subscription to stop: a bus that does not answer holds it up
 * for a moment only.
 */
export async function startRelay({
  outbox,
  target,
  topics,
  open,
  onRelayed,
  onFault,
  lastMs = LAST_MS,
}: RelayOptions): Promise<Subscription> {
  await target.ensureTopics(topics);
  const closing = new AbortController();
  const subscription = await outbox.subscribe({
    group: 'relay',
    topics,
    maxBatch: 1_000,
    onBatch: async (messages) => {
      const opened = open ? await Promise.all(messages.map(open)) : messages;
      await unlessLate(target.publish(opened), closing.signal, lastMs);
      onRelayed?.(messages.length);
    },
    ...(onFault && { onFault }),
  });
  return {
    lag: () => subscription.lag(),
    close() {
      closing.abort();
      return subscription.close();
    },
  };
}

/** Rejects when `work` is not done so long after `signal` has aborted. */
function unlessLate(work: Promise<void>, signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((done, failed) => {
    let timer: NodeJS.Timeout | undefined;
    const late = () => failed(new Error('The bus does not answer, and the relay is to stop'));
    const onAbort = () => (timer = setTimeout(late, ms));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    work.then(done, failed).finally(end);
  });
}
