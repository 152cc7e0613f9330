import { PARTITIONS, partitionOf } from '../outbox/outbox';
import type { Bus, BusMessage, ReceivedMessage, SubscribeOptions, Subscription } from '../port/bus';
import { MemorySubscription } from './memory-subscription';

/** What all members of a consumer group share. */
export interface MemoryGroup {
  /** Messages acknowledged, per partition. */
  readonly offsets: number[];
  readonly members: MemorySubscription[];
  /** Who reads each partition; a member gives one up between batches only, so that order holds. */
  readonly owners: (MemorySubscription | undefined)[];
}

/** Buses of one log see each other's messages, as processes on one engine do. */
export class MemoryLog {
  readonly partitions: ReceivedMessage[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly groups = new Map<string, MemoryGroup>();

  append(message: BusMessage): void {
    const partition = partitionOf(message);
    const log = this.partitions[partition]!;
    log.push({ ...message, headers: { ...message.headers }, partition, offset: log.length + 1 });
  }

  group(name: string, from: 'earliest' | 'latest'): MemoryGroup {
    let group = this.groups.get(name);
    if (!group) {
      group = { offsets: this.partitions.map((log) => (from === 'latest' ? log.length : 0)), members: [], owners: [] };
      this.groups.set(name, group);
    }
    return group;
  }

  wake(): void {
    for (const { members } of this.groups.values()) for (const member of members) member.wake();
  }
}

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
