import type { Bus, BusMessage, SubscribeOptions, Subscription } from '../port/bus';
import { MemoryLog } from './memory-log';
import { MemorySubscription } from './memory-subscription';

/** The bus in the memory of one process: for unit tests. */
export class MemoryBus implements Bus {
  private readonly subscriptions = new Set<MemorySubscription>();

  constructor(private readonly log = new MemoryLog()) {}

  async publish(messages: readonly BusMessage[]): Promise<void> {
    for (const message of messages) this.log.append(message);
    this.log.wake();
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const group = this.log.group(options.group, options.from ?? 'earliest');
    const subscription = new MemorySubscription(this.log, group, options);
    this.subscriptions.add(subscription);
    subscription.start();
    return subscription;
  }

  async ensureTopics(): Promise<void> {}

  async check(): Promise<{ engine: string; version: string }> {
    return { engine: 'memory', version: '1' };
  }

  async close(): Promise<void> {
    await Promise.all([...this.subscriptions].map((subscription) => subscription.close()));
  }

  /** Leaves as a killed process does: what is in hand is never acknowledged. */
  kill(): void {
    for (const subscription of this.subscriptions) subscription.kill();
  }
}
