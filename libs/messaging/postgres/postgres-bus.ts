import { HOUR, MINUTE } from '#kernel';
import { SERVER_VERSION, type Database } from '#postgres';
import { writeOutbox, type Published } from '../outbox/outbox';
import { Publisher } from '../outbox/publisher';
import { maintainBus, type Retention } from '../outbox/retention';
import type { Bus, BusMessage, SubscribeOptions, Subscription } from '../port/bus';
import { RecentMessages } from './recent-messages';
import { PostgresSubscription, type Pace } from './postgres-subscription';

/** So long may the answer of a publication come after its NOTIFY. */
const OWN_ANSWER_MS = 25;

export interface PostgresBusOptions extends Partial<Pace> {
  readonly retention?: Retention;
  /** Faults that belong to no subscription. */
  readonly onFault?: (error: Error) => void;
}

/** The bus on PostgreSQL: `bus.message` is its log, consumer groups share 12 partitions by lease. The database stays open on close. */
export class PostgresBus implements Bus {
  private readonly subscriptions = new Set<PostgresSubscription>();
  private readonly stops: (() => void)[];
  private readonly pace: Pace;
  private readonly recent = new RecentMessages();
  private readonly onFault: (error: Error) => void;
  private readonly publisher = new Publisher(async (messages) => this.handOver(await writeOutbox(this.db, messages)));

  constructor(
    private readonly db: Database,
    private readonly options: PostgresBusOptions = {},
  ) {
    this.pace = { leaseMs: options.leaseMs ?? 3_500, heartbeatMs: options.heartbeatMs ?? 1_000 };
    this.onFault = options.onFault ?? (() => undefined);
    const first = setTimeout(() => this.maintain(), MINUTE).unref();
    const hourly = setInterval(() => this.maintain(), HOUR).unref();
    this.stops = [
      db.listen('bus_published', (payload, isOwn) => this.hear(payload, isOwn)),
      db.listen('bus_rebalance', (group) => this.rebalance(group)),
      () => clearTimeout(first),
      () => clearInterval(hourly),
    ];
  }

  publish(messages: readonly BusMessage[]): Promise<void> {
    return this.publisher.publish(messages);
  }

  /**
   * Gives what `writeOutbox` has returned to this process's subscriptions, once its transaction is committed. Other processes (and this
   * one, if nobody calls) hear of it by NOTIFY.
   */
  handOver(published: Published): void {
    this.recent.add(published);
    this.wake(published.last);
  }

  /** What this process publishes is about to be handed over; unless its answer got lost. */
  private hear(payload: string, isOwn: boolean): void {
    if (payload === '') return this.wake();
    const position = Number(payload);
    if (isOwn) setTimeout(() => this.wake(position), OWN_ANSWER_MS).unref();
    else this.wake(position);
  }

  /** Without a position: look for yourself. */
  private wake(position?: number): void {
    for (const subscription of this.subscriptions) subscription.wake(position);
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const subscription: PostgresSubscription = new PostgresSubscription(
      { db: this.db, recent: this.recent },
      options,
      this.pace,
      () => this.subscriptions.delete(subscription),
    );
    this.subscriptions.add(subscription);
    try {
      await subscription.start();
    } catch (error) {
      this.subscriptions.delete(subscription);
      throw error;
    }
    return subscription;
  }

  /** A topic is only a column here. */
  async ensureTopics(): Promise<void> {}

  async check(): Promise<{ engine: string; version: string }> {
    try {
      const [row] = await this.db.query<{ version: string }>(`select ${SERVER_VERSION} as version from bus.head`);
      return { engine: 'PostgreSQL', version: row!.version };
    } catch (error) {
      throw new Error(`The bus on PostgreSQL does not answer: ${(error as Error).message}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    for (const stop of this.stops) stop();
    await this.publisher.settled();
    await Promise.all([...this.subscriptions].map((subscription) => subscription.close()));
  }

  private rebalance(group: string): void {
    for (const subscription of this.subscriptions)
      if (group === '' || subscription.group === group) void subscription.beat();
  }

  private maintain(): void {
    maintainBus(this.db, this.options.retention).catch(this.onFault);
  }
}
