import type { Endpoint } from '../endpoints/endpoint';
import { Circuit } from './circuit';
import { Fifo } from './fifo';
import { Pace } from './pace';
import { Share } from './share';
import type { Task } from './task';

/** What an endpoint that cannot keep up may hold in memory: so many, or what it sends within the time. */
const ALWAYS_ROOM = 50;
const ROOM_MS = 2_000;
/** One that keeps up, and one that has yet to answer for the first time. */
const MOST_ROOM = 4_000;
const FIRST_ROOM = 200;
/** Answers that take longer, or stay away for longer, make an endpoint one that cannot keep up. */
const KEEPS_UP_MS = 500;
/** Without any answer for so long its exchanges may be given up for lost, where others wait for their slots. */
const STUCK_MS = 250;
/** Exchanges at once of an endpoint that has yet to answer for the first time. */
const FIRST_WIDTH = 2;

export interface LaneLimits {
  /** Exchanges of one endpoint at once. */
  readonly max: number;
  readonly retryScale: number;
}

/**
 * The deliveries of one endpoint in this process that wait for their turn, and how fast they may go. All its times are of the
 * monotonic clock: they hold when the other one is set.
 */
export class Lane {
  readonly tasks = new Fifo<Task>();
  /** Those whose bodies wait for a key. */
  readonly sealed = new Set<Task>();
  inFlight = 0;
  /** Exchanges under way to a target that its endpoint had before: they take nothing from the present one. */
  former = 0;
  /** Which of its endpoint's targets is the present one. */
  private target = 0;
  /** Waits for a slot in the dispatcher's line. */
  inLine = false;
  /** It has answered 410, and that counts: nothing more is sent until its endpoint changes. */
  isGone = false;
  /** What it answered 410 to, until that is written: whether it counts is known then. */
  farewell: Task | undefined;
  timer: NodeJS.Timeout | undefined;
  share: Share;
  circuit: Circuit;
  /** Others waited while it did not answer: its exchanges take no slots from them, and it begins no more until one has ended. */
  isStuck = false;
  private hasAnswered = false;
  private lastWasAnswered = true;
  /** When it last answered, or, after an answer, began to be waited for. */
  private aliveAt = 0;
  /** How fast its endpoint wants to be sent to. */
  pace: Pace;
  private present: Endpoint;

  constructor(
    endpoint: Endpoint,
    private readonly limits: LaneLimits,
  ) {
    this.present = endpoint;
    this.share = new Share(limits.max);
    this.circuit = new Circuit(limits.retryScale);
    this.pace = new Pace(endpoint.row.config.rateLimitPerSecond);
  }

  get endpoint(): Endpoint {
    return this.present;
  }

  set endpoint(changed: Endpoint) {
    const { rateLimitPerSecond } = changed.row.config;
    if (rateLimitPerSecond !== this.pace.perSecond) this.pace = new Pace(rateLimitPerSecond);
    const isElsewhere = this.isElsewhere(changed);
    this.present = changed;
    if (isElsewhere) this.beginAnew();
  }

  /** Whether the endpoint has another target now. */
  isElsewhere({ row }: Endpoint): boolean {
    return row.config.targetUrl !== this.present.row.config.targetUrl;
  }

  /** What was learned of one target says nothing of another. */
  private beginAnew(): void {
    this.former += this.inFlight;
    this.inFlight = 0;
    this.target++;
    this.share = new Share(this.limits.max);
    this.circuit = new Circuit(this.limits.retryScale);
    this.hasAnswered = false;
    this.lastWasAnswered = true;
  }

  get limit(): number {
    if (this.circuit.isOpen) return 1;
    return this.hasAnswered ? this.share.limit : Math.min(FIRST_WIDTH, this.share.limit);
  }

  /** Whether what waits in memory will be gone in a moment, so that intake had better wait for it. */
  keepsUp(now: number): boolean {
    const isStalled = this.inFlight > 0 && now - this.aliveAt > KEEPS_UP_MS;
    return (
      this.hasAnswered &&
      !isStalled &&
      this.share.latencyMs < KEEPS_UP_MS &&
      !this.circuit.isOpen &&
      this.pace.perSecond === null
    );
  }

  /** Whether nothing has come from it for some time, although something should have. */
  isSilent(now: number): boolean {
    return this.inFlight > 0 && now - this.aliveAt > STUCK_MS;
  }

  /** How many more deliveries memory takes for it, which has `most` for one endpoint. */
  room(now: number, most: number): number {
    return Math.min(this.allowed(now), most) - this.held;
  }

  /** How many more of what has waited: the other half of memory is for what comes in live, however long the backlog. */
  roomForBacklog(now: number, most: number): number {
    return Math.ceil(Math.min(this.allowed(now), most) / 2) - this.held;
  }

  /** Its deliveries in memory and in flight. */
  get held(): number {
    return this.tasks.length + this.sealed.size + this.inFlight + this.former;
  }

  /** Nothing will come of it any more. */
  get isOver(): boolean {
    return this.present.row.phase === 'deleted' && this.held === 0;
  }

  /** Drops what waits, and says what it was. */
  clear(): Task[] {
    const left = [...this.tasks.clear(), ...this.sealed];
    this.sealed.clear();
    return left;
  }

  private allowed(now: number): number {
    if (this.circuit.isOpen) return 1;
    if (this.keepsUp(now)) return MOST_ROOM;
    if (this.pace.perSecond !== null) return Math.max(1, Math.ceil((this.pace.perSecond * ROOM_MS) / 1000));
    return this.hasAnswered ? Math.min(MOST_ROOM, Math.max(ALWAYS_ROOM, this.share.within(ROOM_MS))) : FIRST_ROOM;
  }

  /** Milliseconds until it may send, by its rate and its circuit; undefined when it has to ask for its next turns first. */
  waitMs(now: number): number | undefined {
    const untilProbe = this.circuit.waitMs(now);
    if (untilProbe > 0) return untilProbe;
    return this.pace.waitMs(now);
  }

  /** An exchange begins. Returns what tells, when it has ended, whether its target is still the present one. */
  went(now: number): () => boolean {
    if (this.inFlight++ === 0 && this.lastWasAnswered) this.aliveAt = now;
    this.pace.went(now);
    const { target } = this;
    return () => target === this.target;
  }

  /** An exchange has ended after `ms`; `statusCode` is absent when no answer came. */
  came(ms: number, statusCode: number | undefined, now: number): void {
    this.inFlight--;
    this.lastWasAnswered = statusCode !== undefined;
    this.share.took(ms, statusCode);
    if (statusCode === undefined) {
      this.circuit.failed(now);
      return;
    }
    this.aliveAt = now;
    this.hasAnswered = true;
    if (this.circuit.isOpen) this.share.beginAnew();
    this.circuit.reached();
  }
}
