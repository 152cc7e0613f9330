import { first, PAGE_SIZE } from '#kernel';
import { PARTITIONS } from '../outbox/outbox';
import {
  MAX_BATCH,
  PoisonMessageError,
  type ReceivedMessage,
  type SubscribeOptions,
  type Subscription,
} from '../port/bus';
import type { MemoryGroup, MemoryLog } from './memory-log';

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 5_000;

/** A member of a group in memory. */
export class MemorySubscription implements Subscription {
  private loop: Promise<void> = Promise.resolve();
  private closing = false;
  private killed = false;
  private wakeUp: (() => void) | undefined;
  private readonly stop = new AbortController();

  constructor(
    private readonly log: MemoryLog,
    private readonly group: MemoryGroup,
    private readonly options: SubscribeOptions,
  ) {}

  start(): void {
    this.group.members.push(this);
    this.log.wake();
    this.loop = this.run();
  }

  wake(): void {
    this.wakeUp?.();
  }

  async lag(): Promise<number> {
    const topics = new Set(this.options.topics);
    return this.log.partitions.reduce(
      (sum, log, at) => sum + log.slice(this.group.offsets[at]).filter(({ topic }) => topics.has(topic)).length,
      0,
    );
  }

  async close(): Promise<void> {
    this.closing = true;
    this.stop.abort();
    this.wake();
    await this.loop;
    this.leave();
  }

  kill(): void {
    this.closing = this.killed = true;
    this.stop.abort();
    this.wake();
    this.leave();
  }

  private leave(): void {
    const at = this.group.members.indexOf(this);
    if (at >= 0) this.group.members.splice(at, 1);
    this.group.owners.forEach((owner, partition) => owner === this && (this.group.owners[partition] = undefined));
    this.log.wake();
  }

  private async run(): Promise<void> {
    while (!this.closing) {
      this.rebalance();
      const batch = this.next();
      if (batch.length > 0) await this.handle(batch);
      else await this.pause();
    }
  }

  /** Gives up what exceeds the fair share, takes what is free up to it. */
  private rebalance(): void {
    const { members, owners } = this.group;
    const share =
      Math.floor(PARTITIONS / members.length) + (members.indexOf(this) < PARTITIONS % members.length ? 1 : 0);
    let owned = 0;
    let gaveUp = false;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      if (owners[partition] === undefined && owned < share) owners[partition] = this;
      if (owners[partition] !== this || owned++ < share) continue;
      owners[partition] = undefined;
      gaveUp = true;
    }
    if (gaveUp) for (const member of members) member.wake();
  }

  private next(): ReceivedMessage[] {
    const { topics, maxBatch = MAX_BATCH } = this.options;
    const waiting = this.log.partitions
      .flatMap((log, partition) =>
        this.group.owners[partition] === this ? log.slice(this.group.offsets[partition]) : [],
      )
      .filter(({ topic }) => topics.includes(topic));
    return first(waiting, { count: maxBatch, size: PAGE_SIZE }, ({ value }) => value.length);
  }

  private async handle(batch: ReceivedMessage[]): Promise<void> {
    let waiting = batch;
    for (let failures = 0; !this.closing && waiting.length > 0;) {
      try {
        await this.options.onBatch(waiting, this.stop.signal);
        break;
      } catch (error) {
        if (error instanceof PoisonMessageError && waiting.includes(error.poison)) {
          this.options.onParked?.(error.poison, error.reason);
          waiting = waiting.filter((message) => message !== error.poison);
          continue;
        }
        this.options.onFault?.(error as Error);
        if (this.closing) return;
        await this.pause(Math.min(FIRST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS));
        if (this.closing) return;
      }
    }
    if (this.killed) return;
    const { offsets } = this.group;
    for (const { partition, offset } of batch) offsets[partition] = Math.max(offsets[partition]!, offset);
  }

  /** Until woken; with `ms`, for so long unless the subscription closes. */
  private pause(ms?: number): Promise<void> {
    return new Promise((over) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wakeUp = undefined;
        over();
      };
      const timer = ms === undefined ? undefined : setTimeout(done, ms);
      this.wakeUp = () => (ms === undefined || this.closing) && done();
    });
  }
}
