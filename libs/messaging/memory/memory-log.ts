import { PARTITIONS, partitionOf } from '../outbox/outbox';
import type { BusMessage, ReceivedMessage } from '../port/bus';

/** Hears that the log has grown, or that its group has changed. */
export interface MemoryMember {
  wake(): void;
}

/** What all members of a consumer group share. */
export interface MemoryGroup {
  /** Messages acknowledged, per partition. */
  readonly offsets: number[];
  readonly members: MemoryMember[];
  /** Who reads each partition; a member gives one up between batches only, so that order holds. */
  readonly owners: (MemoryMember | undefined)[];
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
