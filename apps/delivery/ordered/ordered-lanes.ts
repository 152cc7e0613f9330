import type { Database } from '#postgres';
import { Memory } from '../dispatch/memory';
import type { Task } from '../dispatch/task';
import type { Outcome } from '../record/outcome';
import { OrderedLane, type OrderedLaneNeeds } from './ordered-lane';
import { laneName } from './queue-rows';

export interface OrderedLanesNeeds extends Omit<OrderedLaneNeeds, 'memory'> {
  readonly db: Database;
  readonly hold: (name: string) => Promise<boolean>;
  readonly worker: () => string;
  readonly isKnown: (endpoint: number) => boolean;
  readonly refreshEndpoints: () => Promise<void>;
  /** Another process holds the lane and should look. */
  readonly tellHolder: (endpoint: number) => void;
}

const LOOK_MS = 1_000;
const QUEUED = `select q.endpoint, (select s.requeued from delivery.sequence s where s.endpoint = q.endpoint) as requeued
  from delivery.queued_endpoints() q`;

/** The lanes of `ordered` endpoints that this worker holds. */
export class OrderedLanes {
  private readonly lanes = new Map<number, OrderedLane>();
  private readonly memory = new Memory();
  /** How often what this worker held became another's: a hold that was answered across it is not its own. */
  private losses = 0;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(private readonly needs: OrderedLanesNeeds) {}

  start(): void {
    void this.look();
  }

  /** Something was queued for the endpoint by this process (`isOurs`), or another said so. */
  async queued(endpoint: number, isOurs: boolean): Promise<void> {
    try {
      const lane = this.lanes.get(endpoint) ?? (isOurs ? await this.open(endpoint) : undefined);
      if (lane) await lane.pull();
      else if (isOurs) this.needs.tellHolder(endpoint);
    } catch (error) {
      if (!this.stopped) this.needs.onFault(error as Error);
    }
  }

  /** The queue was changed behind the lane's back. */
  async changed(endpoint: number): Promise<void> {
    await this.lanes.get(endpoint)?.reset();
  }

  /** Any of the queues may have been. */
  async allChanged(): Promise<void> {
    for (const lane of [...this.lanes.values()]) await lane.reset();
  }

  recorded(outcome: Outcome): void {
    this.lanes.get(outcome.task.endpoint)?.recorded(outcome);
  }

  /** What came of it does not count. */
  async undecided(task: Task): Promise<void> {
    await this.lanes.get(task.endpoint)?.undecided(task);
  }

  /** What this worker held is another's now. */
  lost(): void {
    this.losses++;
    for (const lane of this.lanes.values()) lane.stop();
    this.lanes.clear();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.lost();
  }

  /** Finds queues that nobody works on, as after the death of their holder, and what a lost wake-up would have told. */
  private async look(): Promise<void> {
    try {
      for (const { endpoint, requeued } of await this.needs.db.query<{ endpoint: number; requeued: number }>(QUEUED)) {
        const lane = this.lanes.get(endpoint) ?? (await this.open(endpoint));
        await lane?.look(requeued);
      }
    } catch (error) {
      if (!this.stopped) this.needs.onFault(error as Error);
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.look(), LOOK_MS);
  }

  private async open(endpoint: number): Promise<OrderedLane | undefined> {
    const { losses } = this;
    const name = laneName(endpoint);
    if (!(await this.needs.hold(name))) return undefined;
    if (!this.needs.isKnown(endpoint)) await this.needs.refreshEndpoints();
    if (this.losses !== losses) return undefined;
    const held = this.lanes.get(endpoint);
    if (held || this.stopped || !this.needs.isKnown(endpoint)) return held;
    const lane = new OrderedLane(
      endpoint,
      { name, worker: this.needs.worker() },
      { ...this.needs, memory: this.memory },
    );
    this.lanes.set(endpoint, lane);
    return lane;
  }
}
