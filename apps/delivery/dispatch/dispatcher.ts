import type { SubjectKeys } from '#personal-data';
import type { Sender } from '#webhook-sending';
import { closedReason, type Endpoint } from '../endpoints/endpoint';
import type { Metrics } from '../metrics';
import { isFarewell, type Outcome } from '../record/outcome';
import { Attempts, givenUp, unsigned } from './attempts';
import { Lane } from './lane';
import { Memory } from './memory';
import type { Pace } from './pace';
import { Slots } from './slots';
import type { Task } from './task';

export interface DispatcherNeeds {
  readonly sender: Sender;
  readonly metrics: Metrics;
  readonly endpoint: (no: number) => Endpoint | undefined;
  readonly record: (outcome: Outcome) => void;
  /** Nothing more should be sent for now: the recorder has too much to write, or this worker may have been given up. */
  readonly isHeld: () => boolean;
  /** A lane has room again for what waits in the database. */
  readonly onRoom: (endpoint: number) => void;
  readonly onFault: (error: Error, endpoint: Endpoint) => void;
  /** Gets turns for an endpoint with a rate, which all who send to it share, and says when they are there. */
  readonly askForTurns: (endpoint: number, pace: Pace, onGiven: () => void) => void;
  /** Opens what is personal in a body, as late as can be. */
  readonly keys: Pick<SubjectKeys, 'open' | 'openNow'>;
  readonly concurrency: number;
  readonly retryScale: number;
}

/** One endpoint takes no more than this share of the slots, so that it alone cannot fill them. */
const WIDEST_SHARE = 1 / 2;
const WIDEST = 128;
/** Deliveries in memory of endpoints that keep up: above, intake waits for them, but never longer than CALM_MS. */
const BUSY = 2_000;
const CALM_MS = 2_000;
const LOOK_MS = 2;
/** A body whose key cannot be had waits so long before it is tried again, by whoever can. */
const OPEN_AGAIN_MS = 5_000;

/** Sends what is in memory: a lane per endpoint, a bound for all, the lanes taking turns when the bound is reached. */
export class Dispatcher {
  private readonly lanes = new Map<number, Lane>();
  private readonly slots: Slots;
  private readonly attempts: Attempts;
  /** Of all lanes; what `ordered` endpoints have is counted by their own. */
  private readonly memory = new Memory();
  private buffered = 0;
  private stopped = false;
  private idle: (() => void) | undefined;

  constructor(private readonly needs: DispatcherNeeds) {
    this.attempts = new Attempts(needs);
    this.slots = new Slots(needs.concurrency, { lanes: () => this.lanes.values(), pump: (lane) => this.pump(lane) });
  }

  get load(): { inFlight: number; buffered: number; lanes: number; circuitsOpen: number } {
    let circuitsOpen = 0;
    for (const lane of this.lanes.values()) if (lane.circuit.isOpen) circuitsOpen++;
    return { inFlight: this.slots.inFlight, buffered: this.buffered, lanes: this.lanes.size, circuitsOpen };
  }

  /** The ids of what waits for its turn. */
  get waiting(): string[] {
    return [...this.lanes.values()].flatMap(({ tasks }) => tasks.all.map(({ id }) => id));
  }

  /** How many more deliveries of the endpoint memory takes; 0 while stopping. */
  room(endpoint: Endpoint): number {
    return this.stopped ? 0 : this.lane(endpoint).room(performance.now(), this.memory.part);
  }

  /** The same for what has waited in the database. */
  roomForBacklog(endpoint: Endpoint): number {
    return this.stopped ? 0 : this.lane(endpoint).roomForBacklog(performance.now(), this.memory.part);
  }

  /** Resolves when what is about to be sent anyhow is few enough: endpoints that do not keep up are not waited for. */
  async calm(): Promise<void> {
    for (const until = performance.now() + CALM_MS; this.isBusy() && performance.now() < until;)
      await new Promise((look) => setTimeout(look, LOOK_MS));
  }

  private isBusy(): boolean {
    if (this.buffered < BUSY || this.stopped) return false;
    const now = performance.now();
    let busy = 0;
    for (const lane of this.lanes.values()) if (lane.tasks.length > 0 && lane.keepsUp(now)) busy += lane.tasks.length;
    return busy >= BUSY;
  }

  /** Takes deliveries to be sent. Those of an endpoint that this process has not heard of wait until it has. */
  submit(tasks: readonly Task[]): void {
    const touched = new Set<Lane>();
    for (const task of tasks) {
      const endpoint = this.needs.endpoint(task.endpoint);
      if (!endpoint) {
        this.needs.record({ task, exchange: null, decision: { state: 'waiting', ms: 0 } });
        continue;
      }
      const lane = this.lane(endpoint);
      lane.tasks.push(task);
      this.enters(task);
      touched.add(lane);
    }
    for (const lane of touched) this.pump(lane);
  }

  /** The endpoint has a new version: its settings hold from now on, and a closed one's deliveries are given up. */
  changed(endpoint: Endpoint): void {
    const lane = this.lanes.get(endpoint.no);
    if (!lane) return;
    if (lane.isElsewhere(endpoint)) this.slots.setAside(lane);
    lane.endpoint = endpoint;
    lane.isGone = false;
    lane.farewell = undefined;
    this.pump(lane);
  }

  /**
   * A 410 is written. It may not count, as when the delivery was discarded by hand or taken over meanwhile: then nobody disables the
   * endpoint, and what waits for it goes.
   */
  saidGone(task: Task, counts: boolean): void {
    const lane = this.lanes.get(task.endpoint);
    if (lane?.farewell !== task) return;
    lane.farewell = undefined;
    lane.isGone = counts;
    this.pump(lane);
  }

  /** The delivery was discarded by hand: it is not sent, unless it is under way. */
  discard(endpoint: number, id: string): void {
    const task = this.lanes.get(endpoint)?.tasks.remove((waiting) => waiting.id === id);
    if (!task) return;
    this.leaves(task);
    this.needs.record({ task, exchange: null, decision: { state: 'discarded', reason: 'discarded' } });
  }

  /** Lets every lane try again: something that held them all back is over. */
  resume(): void {
    for (const lane of this.lanes.values()) this.pump(lane);
  }

  /** Drops what waits: it is no longer this worker's. */
  forget(): void {
    for (const lane of this.lanes.values()) for (const task of lane.clear()) this.leaves(task);
    this.resume();
  }

  /** Sends nothing more, forgets what waits, and waits for what is in flight, aborting it after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.halt();
    if (this.slots.inFlight > 0) {
      const timer = setTimeout(() => this.attempts.stop(), graceMs);
      await new Promise<void>((done) => (this.idle = done));
      clearTimeout(timer);
    }
  }

  /** Stops at once and records nothing more, as a killed process does. */
  kill(): void {
    this.halt();
    this.attempts.stop();
  }

  private halt(): void {
    this.stopped = true;
    this.slots.stop();
    for (const lane of this.lanes.values()) {
      clearTimeout(lane.timer);
      for (const task of lane.clear()) this.leaves(task);
    }
  }

  private enters({ lane, body, size = body.length }: Task): void {
    this.buffered++;
    if (lane === null) this.memory.take(size);
  }

  private leaves({ lane, body, size = body.length }: Task): void {
    this.buffered--;
    if (lane === null) this.memory.give(size);
  }

  private lane(endpoint: Endpoint): Lane {
    let lane = this.lanes.get(endpoint.no);
    if (!lane) {
      const max = Math.max(1, Math.min(WIDEST, Math.floor(this.needs.concurrency * WIDEST_SHARE)));
      lane = new Lane(endpoint, { max, retryScale: this.needs.retryScale });
      this.lanes.set(endpoint.no, lane);
    }
    return lane;
  }

  private pump(lane: Lane): void {
    this.sendSome(lane);
    if (lane.isOver) this.lanes.delete(lane.endpoint.no);
  }

  private sendSome(lane: Lane): void {
    while (lane.tasks.length > 0 && !this.stopped) {
      if (!lane.endpoint.open || lane.isGone) {
        this.giveUp(lane);
        return;
      }
      if (lane.farewell) return;
      if (lane.inFlight + lane.sealed.size >= this.slots.widthOf(lane) || this.needs.isHeld()) return;
      if (lane.isStuck) return;
      if (!this.slots.isFree) {
        this.slots.wait(lane);
        return;
      }
      const now = performance.now();
      const wait = lane.waitMs(now);
      if (wait === undefined) {
        this.needs.askForTurns(lane.endpoint.no, lane.pace, () => this.pump(lane));
        return;
      }
      if (wait > 0) {
        // Anew: what it waited for may have changed.
        clearTimeout(lane.timer);
        lane.timer = setTimeout(() => this.pump(lane), wait);
        return;
      }
      this.begin(lane, lane.tasks.shift()!, now);
    }
  }

  private begin(lane: Lane, sealed: Task, now: number): void {
    const { endpoint } = lane;
    const opened = this.needs.keys.openNow(endpoint.row.workspace, sealed.body);
    if (!opened) return void this.unseal(lane, sealed);
    this.leaves(sealed);
    const task = opened.text === sealed.body ? sealed : { ...sealed, body: opened.text, erased: opened.erased };
    const headers = this.attempts.sign(task, endpoint, Date.now());
    if (!headers) {
      this.needs.record(this.attempts.outcome(task, unsigned(Date.now()), endpoint, true));
      return;
    }
    const isOfPresent = lane.went(now);
    this.slots.take();
    void this.attempts.send(task, endpoint, headers).then((exchange) => {
      const speaks = isOfPresent();
      if (speaks) {
        this.slots.giveBack(lane);
        lane.came(exchange.durationMs, exchange.statusCode, performance.now());
      } else this.slots.giveBackAside(lane);
      if (!this.attempts.wasStopped(exchange))
        this.concluded(lane, this.attempts.outcome(task, exchange, lane.endpoint, speaks));
      if (lane.circuit.isOpen && lane.tasks.length > 1) this.giveBack(lane);
      this.ended(lane);
    });
  }

  /** The key of a body is not in memory: it takes its turn again once it is, or waits for a while when it cannot be had. */
  private async unseal(lane: Lane, task: Task): Promise<void> {
    lane.sealed.add(task);
    const opening = this.needs.keys.open(lane.endpoint.row.workspace, task.body);
    const fault = await opening.then(
      () => undefined,
      (error: Error) => error,
    );
    // Stopped, or no longer this worker's.
    if (!lane.sealed.delete(task)) return;
    if (!fault) lane.tasks.push(task);
    else {
      this.needs.onFault(fault, lane.endpoint);
      this.leaves(task);
      this.needs.record({ task, exchange: null, decision: { state: 'waiting', ms: OPEN_AGAIN_MS } });
      this.needs.onRoom(lane.endpoint.no);
    }
    this.pump(lane);
  }

  private concluded(lane: Lane, outcome: Outcome): void {
    if (isFarewell(outcome)) lane.farewell ??= outcome.task;
    this.needs.record(outcome);
  }

  /**
   * Nobody is there: what waits in memory goes back to the others that wait, so that the oldest goes first when somebody is there
   * again. An `ordered` endpoint's line keeps its order by itself.
   */
  private giveBack(lane: Lane): void {
    for (const task of lane.tasks.clear()) {
      if (task.lane !== null) {
        lane.tasks.push(task);
        continue;
      }
      this.leaves(task);
      this.needs.record({ task, exchange: null, decision: { state: 'waiting', ms: 0 } });
    }
  }

  private ended(lane: Lane): void {
    if (this.stopped) {
      if (this.slots.inFlight === 0) this.idle?.();
      return;
    }
    this.slots.next();
    this.pump(lane);
    if (lane.tasks.length < lane.share.limit) this.needs.onRoom(lane.endpoint.no);
  }

  private giveUp(lane: Lane): void {
    const decision = givenUp(lane.endpoint, lane.isGone ? 'gone' : closedReason(lane.endpoint.row));
    for (const task of lane.tasks.clear()) {
      this.leaves(task);
      this.needs.record({ task, exchange: null, decision });
    }
  }
}
