import type { Bus, Subscription } from '../port/bus';

export interface RelayOptions {
  /** The bus that the outbox is the log of. */
  readonly outbox: Bus;
  readonly target: Bus;
  readonly topics: readonly string[];
  readonly onRelayed?: (count: number) => void;
  readonly onFault?: (error: Error) => void;
}

/**
 * Carries the outbox to another bus: one more consumer group of it. Messages of a key go one after the other; after a crash
 * some go again, with the same ids. Several relays share the partitions. Close the subscription to stop.
 */
export async function startRelay({ outbox, target, topics, onRelayed, onFault }: RelayOptions): Promise<Subscription> {
  await target.ensureTopics(topics);
  return outbox.subscribe({
    group: 'relay',
    topics,
    maxBatch: 1_000,
    onBatch: async (messages) => {
      await target.publish(messages);
      onRelayed?.(messages.length);
    },
    ...(onFault && { onFault }),
  });
}
