import { OneAtATime } from '#kernel';
import type { Database } from '#postgres';
import {
  MAX_BATCH,
  PoisonMessageError,
  type ReceivedMessage,
  type SubscribeOptions,
  type Subscription,
} from '../port/bus';
import { BEGINNING, fetchNext, leastCursor, takeRecent, type Fetched, type Stretch } from './fetch';
import { GroupMember, type Claim } from './group-member';
import { countLag } from './lag';
import { park } from './dead-letters';
import type { RecentMessages } from './recent-messages';

export interface Pace {
  /** A member that has not renewed its lease for so long is dead to the others (3,500). */
  readonly leaseMs: number;
  /** How often the lease is renewed; also how often the bus is looked at when nothing woke us (1,000). */
  readonly heartbeatMs: number;
}

/** The server hears of a new day in a moment. */
const BLIND_MS = 10;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** Offsets of partitions without messages for this group follow at leisure: after so many positions. */
const IDLE_POSITIONS = 5_000;
const IDLE_MS = 30_000;
/** Offsets of the batches of so long travel together; what a crash keeps from being told comes again. */
const COMMIT_MS = 20;

/** One loop that fetches, hands over and commits; a heartbeat beside it that goes on while a batch is handled. */
export class PostgresSubscription implements Subscription {
  private readonly db: Database;
  private readonly recent: RecentMessages;
  private readonly topics: ReadonlySet<string>;
  private readonly member: GroupMember;
  private readonly timer: NodeJS.Timeout;
  private starting: Promise<void> = Promise.resolve();
  private loop: Promise<void> = Promise.resolve();
  private readonly beats = new OneAtATime(() => this.renew());
  private ahead: Promise<Fetched> | undefined;
  private inHand: AbortController | undefined;
  private closing = false;
  private closed: Promise<void> | undefined;
  /** Claims with messages that were handled and not yet committed. */
  private readonly touched = new Set<Claim>();
  private commitTimer: NodeJS.Timeout | undefined;
  private wakeUp: (() => void) | undefined;
  /** Something may have happened that only a look at the bus can tell. */
  private mustLook = true;
  private head = 0;
  private mark = BEGINNING;
  private idleCommitAt = 0;

  constructor(
    { db, recent }: { readonly db: Database; readonly recent: RecentMessages },
    private readonly options: SubscribeOptions,
    pace: Pace,
    private readonly onClosed: () => void,
  ) {
    [this.db, this.recent, this.topics] = [db, recent, new Set(options.topics)];
    this.member = new GroupMember(db, options.group, pace.leaseMs, () => this.onLoss());
    this.timer = setInterval(() => void this.beat(), pace.heartbeatMs).unref();
  }

  private get maxBatch(): number {
    return this.options.maxBatch ?? MAX_BATCH;
  }

  get group(): string {
    return this.options.group;
  }

  start(): Promise<void> {
    return (this.starting = this.begin());
  }

  private async begin(): Promise<void> {
    try {
      await this.member.join(this.options.from ?? 'earliest');
    } catch (error) {
      clearInterval(this.timer);
      throw error;
    }
    this.loop = this.run();
  }

  /** Messages up to `position` are there; without it, anything may be. */
  wake(position?: number): void {
    if (position === undefined) this.mustLook = true;
    else if (position <= this.head) return;
    else this.head = position;
    // While a batch is handled, the next one can be on its way.
    if (this.inHand) this.lookAhead();
    else this.wakeUp?.();
  }

  /** Renews the lease; called out of turn when members came or went. One that has left is a member no more. */
  beat(): Promise<void> {
    return this.beats.run();
  }

  lag(): Promise<number> {
    return countLag(this.db, this.options.group, this.options.topics);
  }

  close(): Promise<void> {
    return (this.closed ??= this.end());
  }

  private async end(): Promise<void> {
    this.closing = true;
    this.inHand?.abort();
    this.wakeUp?.();
    // Whoever left while it still joins would be a member afterwards.
    await this.starting.catch(() => undefined);
    await this.loop;
    clearInterval(this.timer);
    clearTimeout(this.commitTimer);
    await this.beats.end();
    await this.leave().catch((error: Error) => this.fault(error));
    this.onClosed();
  }

  private async leave(): Promise<void> {
    await this.member.leave();
    if (this.options.isPassing) await this.member.forget();
  }

  private async renew(): Promise<void> {
    try {
      const { incarnation } = this.member;
      await this.member.heartbeat();
      if (incarnation !== this.member.incarnation) this.startOver(this.member.head);
      if (this.member.head > this.head) this.head = this.member.head;
      const now = performance.now();
      const isTime = now - this.idleCommitAt > IDLE_MS;
      const idle = [...this.member.claims.values()].filter(
        ({ done, committed }) => done - committed > (isTime ? 0 : IDLE_POSITIONS),
      );
      if (isTime) this.idleCommitAt = now;
      if (idle.length > 0) await this.member.commit(idle);
    } catch (error) {
      this.member.checkLease();
      this.fault(error as Error);
    }
    if (this.isBehind() || this.member.isUnbalanced()) this.wakeUp?.();
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.closing) {
      try {
        await this.step();
        failures = 0;
      } catch (error) {
        this.fault(error as Error);
        await this.pause(Math.min(FIRST_PAUSE_MS * 2 ** failures++, 1_000));
      }
    }
    await this.ahead?.catch((error: Error) => this.fault(error));
  }

  private async step(): Promise<void> {
    if (this.member.isUnbalanced()) await this.member.rebalance();
    if (!this.ahead && !this.isBehind()) return this.rest();
    const stretch = await this.next();
    if (stretch.messages.length === 0) {
      this.passed(stretch, []);
      return stretch.isBlind ? this.pause(BLIND_MS) : undefined;
    }
    if (this.isBehind()) this.lookAhead();
    await this.handle(stretch);
  }

  private isBehind(): boolean {
    const { claims } = this.member;
    if (claims.size === 0) return false;
    if (this.mustLook) return true;
    for (const { cursor } of claims.values()) if (cursor < this.head) return true;
    return false;
  }

  private lookAhead(): void {
    if (this.ahead || !this.isBehind() || this.isRecent()) return;
    this.ahead = this.fetch();
    // A failure is met when the batch is asked for.
    this.ahead.catch(() => undefined);
  }

  private async next(): Promise<Stretch & Partial<Fetched>> {
    const { ahead } = this;
    this.ahead = undefined;
    if (ahead) return ahead;
    const { topics, maxBatch } = this;
    return this.isRecent() ? takeRecent(this.recent, new Map(this.member.claims), topics, maxBatch) : this.fetch();
  }

  /** All that is left for this group was published by this process a moment ago. */
  private isRecent(): boolean {
    const { claims, incarnation } = this.member;
    return !this.mustLook && this.recent.newest >= this.head && this.recent.covers(leastCursor(claims), incarnation);
  }

  private async fetch(): Promise<Fetched> {
    const { topics } = this.options;
    const known = this.head;
    this.mustLook = false;
    const fetched = await fetchNext(this.db, new Map(this.member.claims), topics, this.maxBatch, this.mark).catch(
      (error: Error) => {
        this.mustLook = true;
        throw error;
      },
    );
    if (fetched.incarnation !== this.member.incarnation) {
      this.member.follow(fetched.incarnation);
      this.startOver(fetched.head);
      void this.beat();
      return fetched;
    }
    // Unless news came meanwhile, the database knows best: an announced position may have been lost in a crash.
    if (this.head === known) this.head = fetched.head;
    this.mark = fetched.mark;
    if (fetched.isBlind) this.mustLook = true;
    return fetched;
  }

  private startOver(head: number): void {
    [this.head, this.mark, this.mustLook] = [head, BEGINNING, true];
  }

  /** Hands the batch over until it is acknowledged, parked or no longer ours, whatever fails meanwhile: it is not fetched again. */
  private async handle(stretch: Stretch): Promise<void> {
    let waiting = stretch.messages;
    for (let failures = 0; !this.closing;) {
      try {
        if (failures > 0 && this.member.isUnbalanced()) await this.member.rebalance();
        this.member.checkLease();
        waiting = waiting.filter(({ partition }) => !stretch.claims.get(partition)!.lost);
        if (waiting.length > 0) waiting = await this.handOver(waiting);
        if (waiting.length === 0) return this.passed(stretch, stretch.messages);
      } catch (error) {
        this.fault(error as Error);
        await this.pause(Math.min(FIRST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS));
      }
    }
  }

  /** Says what is left to be handed over: nothing, or the batch without the one that was parked. */
  private async handOver(messages: ReceivedMessage[]): Promise<ReceivedMessage[]> {
    this.inHand = new AbortController();
    try {
      await this.options.onBatch(messages, this.inHand.signal);
      return [];
    } catch (error) {
      if (!(error instanceof PoisonMessageError && messages.includes(error.poison))) throw error;
      await this.park(error);
      return messages.filter((message) => message !== error.poison);
    } finally {
      this.inHand = undefined;
    }
  }

  private passed({ claims, through }: Stretch, messages: readonly ReceivedMessage[]): void {
    for (const claim of claims.values()) claim.done = Math.max(claim.done, through);
    for (const { partition } of messages) this.touched.add(claims.get(partition)!);
    if (this.touched.size > 0) this.commitTimer ??= setTimeout(() => this.commit(), COMMIT_MS);
  }

  /** The next batch need not wait for this; a failed commit is made good by the next one, or the messages come again. */
  private commit(): void {
    const claims = [...this.touched];
    this.touched.clear();
    this.commitTimer = undefined;
    this.member.commit(claims).catch((error: Error) => this.fault(error));
  }

  private async park(error: PoisonMessageError): Promise<void> {
    await park(this.db, this.options.group, error.poison, error.reason);
    this.options.onParked?.(error.poison, error.reason);
  }

  private onLoss(): void {
    this.mustLook = true;
    this.inHand?.abort();
  }

  private fault(error: Error): void {
    this.options.onFault?.(error);
  }

  private rest(): Promise<void> {
    return new Promise((awake) => {
      if (this.closing) return awake();
      this.wakeUp = () => {
        this.wakeUp = undefined;
        awake();
      };
    });
  }

  /** Ends early when the subscription closes. */
  private pause(ms: number): Promise<void> {
    return new Promise((over) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wakeUp = undefined;
        over();
      };
      const timer = setTimeout(done, this.closing ? 0 : ms);
      this.wakeUp = () => this.closing && done();
    });
  }
}
