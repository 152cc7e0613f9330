import type { Bus, BusMessage, ReceivedMessage, Subscription } from '../port/bus';

export interface RelayOptions {
  /** The bus that the outbox is the log of. */
  readonly outbox: Bus;
  readonly target: Bus;
  readonly topics: readonly string[];
  /** The message as others may read it: on this side of the bus what is personal is sealed. */
  readonly open?: (message: ReceivedMessage) => BusMessage | Promise<BusMessage>;
  readonly onRelayed?: (count: number) => void;
  readonly onFault?: (error: Error) => void;
}

/**
 * Carries the outbox to another bus: one more consumer group of it. Messages of a key go one after the other; after a crash
 * some go again, with the same ids. Several relays share the partitions. Close the subscription to stop.
 */
export async function startRelay({
  outbox,
  target,
  topics,
  open,
  onRelayed,
  onFault,
}: RelayOptions): Promise<Subscription> {
  await target.ensureTopics(topics);
  return outbox.subscribe({
    group: 'relay',
    topics,
    maxBatch: 1_000,
    onBatch: async (messages) => {
      await target.publish(open ? await Promise.all(messages.map(open)) : messages);
      onRelayed?.(messages.length);
    },
    ...(onFault && { onFault }),
  });
}
