import type { Clock } from '#kernel';
import { signHeaders } from '#webhook-contracts';
import type { Exchange, Sender } from '#webhook-sending';
import type { Endpoint } from '../endpoints/endpoint';
import type { Metrics } from '../metrics';
import type { Decision, Outcome } from '../record/outcome';
import { decide } from './decide';
import { Fifo } from './fifo';
import { Lane } from './lane';
import type { Task } from './task';

export interface DispatcherNeeds {
  readonly sender: Sender;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly endpoint: (no: number) => Endpoint | undefined;
  readonly record: (outcome: Outcome) => void;
  /** Nothing more should be sent for now: the recorder has too much to write, or this worker may have been given up. */
  readonly isHeld: () => boolean;
  /** A lane has room again for what waits in the database. */
  readonly onRoom: (endpoint: number) => void;
  readonly onFault: (error: Error, endpoint: Endpoint) => void;
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
/** While lanes wait for slots: how often those are looked for that hold theirs without an answer. */
const LOOK_FOR_STUCK_MS = 50;
/** What stuck lanes hold is not counted, up to this multiple of the slots. */
const MOST_OPEN = 4;
/** Deliveries in memory over all lanes: above, everything waits in the database. */
const FULL = 20_000;

/** Sends what is in memory: a lane per endpoint, a bound for all, the lanes taking turns when the bound is reached. */
export class Dispatcher {
  private readonly lanes = new Map<number, Lane>();
  private readonly line = new Fifo<Lane>();
  private readonly abort = new AbortController();
  private inFlight = 0;
  /** Exchanges of lanes that are stuck. */
  private stuck = 0;
  private lookTimer: NodeJS.Timeout | undefined;
  private buffered = 0;
  private stopped = false;
  private idle: (() => void) | undefined;

  constructor(private readonly needs: DispatcherNeeds) {}

  get load(): { inFlight: number; buffered: number; lanes: number; circuitsOpen: number } {
    let circuitsOpen = 0;
    for (const lane of this.lanes.values()) if (lane.circuit.isOpen) circuitsOpen++;
    return { inFlight: this.inFlight, buffered: this.buffered, lanes: this.lanes.size, circuitsOpen };
  }

  /** How many more deliveries of the endpoint memory takes; 0 while stopping. */
  room(endpoint: Endpoint): number {
    return this.stopped || this.buffered >= FULL ? 0 : this.lane(endpoint).room(Date.now());
  }

  /** Endpoints with work in memory or in flight, and how much of it. */
  held(no: number): number {
    const lane = this.lanes.get(no);
    return lane ? lane.tasks.length + lane.inFlight : 0;
  }

  /** Resolves when what is about to be sent anyhow is few enough: endpoints that do not keep up are not waited for. */
  async calm(): Promise<void> {
    for (const until = Date.now() + CALM_MS; this.isBusy() && Date.now() < until;)
      await new Promise((look) => setTimeout(look, LOOK_MS));
  }

  private isBusy(): boolean {
    if (this.buffered < BUSY || this.stopped) return false;
    const now = Date.now();
    let busy = 0;
    for (const lane of this.lanes.values()) if (lane.tasks.length > 0 && lane.keepsUp(now)) busy += lane.tasks.length;
    return busy >= BUSY;
  }

  submit(tasks: readonly Task[]): void {
    const touched = new Set<Lane>();
    for (const task of tasks) {
      const endpoint = this.needs.endpoint(task.endpoint);
      if (!endpoint) throw new Error(`Delivery ${task.id} is of the endpoint ${task.endpoint}, which is not in memory`);
      const lane = this.lane(endpoint);
      lane.tasks.push(task);
      this.buffered++;
      touched.add(lane);
    }
    for (const lane of touched) this.pump(lane);
  }

  /** The endpoint has a new version: its settings hold from now on, and a closed one's deliveries are given up. */
  changed(endpoint: Endpoint): void {
    const lane = this.lanes.get(endpoint.no);
    if (!lane) return;
    lane.endpoint = endpoint;
    lane.isGone = false;
    this.pump(lane);
    if (endpoint.row.phase === 'deleted' && lane.inFlight === 0) this.lanes.delete(endpoint.no);
  }

  /** Lets every lane try again: something that held them all back is over. */
  resume(): void {
    for (const lane of this.lanes.values()) this.pump(lane);
  }

  /** Drops what waits: it is no longer this worker's. */
  forget(): void {
    for (const lane of this.lanes.values()) lane.tasks.clear();
    this.buffered = 0;
    this.resume();
  }

  /** Sends nothing more, gives back what waits, and waits for what is in flight, aborting it after `graceMs`. */
  async stop(graceMs: number): Promise<Task[]> {
    this.stopped = true;
    clearTimeout(this.lookTimer);
    const left: Task[] = [];
    for (const lane of this.lanes.values()) {
      clearTimeout(lane.timer);
      left.push(...lane.tasks.clear());
    }
    this.buffered = 0;
    if (this.inFlight > 0) {
      const timer = setTimeout(() => this.abort.abort(), graceMs);
      await new Promise<void>((done) => (this.idle = done));
      clearTimeout(timer);
    }
    return left;
  }

  /** Stops at once and records nothing more, as a killed process does. */
  kill(): void {
    this.stopped = true;
    clearTimeout(this.lookTimer);
    for (const lane of this.lanes.values()) {
      clearTimeout(lane.timer);
      lane.tasks.clear();
    }
    this.abort.abort();
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
    while (lane.tasks.length > 0 && !this.stopped) {
      if (!lane.endpoint.open || lane.isGone) {
        this.giveUp(lane);
        return;
      }
      if (lane.inFlight >= this.fairLimit(lane) || this.needs.isHeld()) return;
      if (lane.isStuck) return;
      if (!this.hasSlot) {
        this.queue(lane);
        return;
      }
      const now = Date.now();
      const wait = lane.waitMs(now);
      if (wait > 0) {
        lane.timer ??= setTimeout(() => {
          lane.timer = undefined;
          this.pump(lane);
        }, wait);
        return;
      }
      this.buffered--;
      this.begin(lane, lane.tasks.shift()!, now);
    }
  }

  private get hasSlot(): boolean {
    const { concurrency } = this.needs;
    return this.inFlight - this.stuck < concurrency && this.inFlight < concurrency * MOST_OPEN;
  }

  private queue(lane: Lane): void {
    if (lane.inLine) return;
    lane.inLine = true;
    this.line.push(lane);
    this.lookTimer ??= setTimeout(() => this.lookForStuck(), LOOK_FOR_STUCK_MS);
  }

  /** Endpoints that hang must not sit on the slots until their time-outs: others wait. */
  private lookForStuck(): void {
    this.lookTimer = undefined;
    if (this.stopped || this.line.length === 0) return;
    const now = Date.now();
    for (const lane of this.lanes.values()) {
      if (lane.isStuck || !lane.isSilent(now)) continue;
      lane.isStuck = true;
      this.stuck += lane.inFlight;
    }
    for (let waiting = this.line.length; waiting > 0 && this.hasSlot; waiting--) this.pumpNext();
    if (this.line.length > 0) this.lookTimer ??= setTimeout(() => this.lookForStuck(), LOOK_FOR_STUCK_MS);
  }

  private pumpNext(): void {
    const waiting = this.line.shift();
    if (!waiting) return;
    waiting.inLine = false;
    this.pump(waiting);
  }

  /** While lanes wait for slots, none takes more than an even part of them. */
  private fairLimit(lane: Lane): number {
    if (this.line.length === 0) return lane.limit;
    return Math.min(lane.limit, Math.max(1, Math.floor(this.needs.concurrency / (this.line.length + 1))));
  }

  private begin(lane: Lane, task: Task, now: number): void {
    const { sender, record, metrics, onFault } = this.needs;
    const { endpoint } = lane;
    const { contract, row } = endpoint;
    let headers: Record<string, string>;
    try {
      const { messageId: id, type, body, sequence, replay } = task;
      headers = signHeaders(contract, endpoint.liveSecrets(now), {
        id,
        type,
        body,
        timestampSeconds: Math.floor(now / 1000),
        sequence,
        replay,
      });
    } catch (error) {
      onFault(error as Error, endpoint);
      const exchange: Exchange = {
        ok: false,
        error: { stage: 'send', message: 'It could not be signed' },
        startedAt: now,
        durationMs: 0,
      };
      record({ task, exchange, decision: this.decision(lane, task, exchange) });
      return;
    }
    lane.went(now);
    this.inFlight++;
    const timeoutMs = contract.timeoutSeconds * 1000;
    void sender
      .send({ url: row.config.targetUrl, headers, body: task.body, timeoutMs, signal: this.abort.signal })
      .then((exchange) => {
        if (lane.isStuck) this.stuck -= lane.inFlight;
        lane.isStuck = false;
        this.inFlight--;
        lane.came(exchange.durationMs, exchange.statusCode !== undefined, Date.now());
        if (!this.abort.signal.aborted || exchange.error?.stage !== 'aborted') {
          metrics.attemptSeconds.observe(exchange.durationMs / 1000);
          metrics.attempts.inc({
            outcome: exchange.ok
              ? 'delivered'
              : (exchange.error?.stage ?? `${Math.floor((exchange.statusCode ?? 0) / 100)}xx`),
          });
          record({ task, exchange, decision: this.decision(lane, task, exchange) });
        }
        this.ended(lane);
      });
  }

  private decision(lane: Lane, task: Task, exchange: Exchange): Decision {
    const chances = { scale: this.needs.retryScale, chance: Math.random() };
    const decision = decide(exchange, lane.endpoint.contract, task.tries, chances);
    if (decision.state === 'discarded') lane.isGone = true;
    // It was closed while this was under way: there will be no other attempt.
    return decision.state === 'retrying' && !lane.endpoint.open
      ? { state: 'discarded', reason: closedReason(lane.endpoint) }
      : decision;
  }

  private ended(lane: Lane): void {
    if (this.stopped) {
      if (this.inFlight === 0) this.idle?.();
      return;
    }
    this.pumpNext();
    this.pump(lane);
    if (lane.tasks.length < lane.share.limit) this.needs.onRoom(lane.endpoint.no);
  }

  private giveUp(lane: Lane): void {
    const reason = lane.isGone ? 'gone' : closedReason(lane.endpoint);
    for (const task of lane.tasks.clear()) {
      this.buffered--;
      this.needs.record({ task, exchange: null, decision: { state: 'discarded', reason } });
    }
  }
}

const closedReason = ({ row }: Endpoint): 'deleted' | 'gone' | 'disabled' => {
  if (row.phase === 'deleted') return 'deleted';
  return row.config.disabledReason === 'gone' ? 'gone' : 'disabled';
};
