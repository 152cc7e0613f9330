import type { CommandHandler } from '#event-store';
import {
  followingUuid,
  DomainError,
  grouped,
  millis,
  MINUTE,
  plus,
  publicEventId,
  SECOND,
  Semaphore,
  type Clock,
  type Instant,
} from '#kernel';
import { isEngineOutage } from '#platform';
import type { Database } from '#postgres';
import { owedCommands, type Owed } from './owed-commands';
import {
  dueTimers,
  dueTimersOf,
  dueTurns,
  endTimers,
  hurryHeld,
  hurryOneHeld,
  nextDue,
  postponeTimer,
  type DueTimer,
  type DueTurn,
} from './timer-table';

const AT_ONCE = 64;
const BATCH = 512;
/** What many timers do to one thing they do one after the other; so long, and then all others have their turn. */
const TURN_MS = 100;
/** The clock is looked at again so often, whatever it said; also the safety net for a lost wake-up. */
const LOOK_AGAIN_MS = SECOND;
const LONGEST_PAUSE_MS = 5 * MINUTE;
/** While an engine is away one timer asks so often whether it is back; once it is, no other waits for the end of its pause. */
const PROBE_MS = 5 * SECOND;

export interface TimerParts {
  readonly db: Database;
  readonly commands: CommandHandler;
  readonly clock: Clock;
  /** Hears of a command that could not be sent, which is tried again. */
  readonly onFault: (error: Error, timer?: DueTimer) => void;
  readonly onDone?: (kind: string, outcome: 'done' | 'obsolete' | 'failed', lateMs: number) => void;
  readonly owed?: Readonly<Record<string, Owed>>;
  readonly turnMs?: number;
}

/**
 * Sends the commands that are due. A command's id derives from the timer and its cause, so one that is sent twice, by two
 * processes or after a crash, has one effect.
 */
export class TimerRunner {
  private awake = false;
  private rouse: (() => void) | undefined;
  /** Whose turn was the last, when more were due than had a turn together. */
  private lastTurn: DueTurn | undefined;
  /** An engine was away for a timer, and nothing that was put off for that has been hurried since. */
  private isAway = false;
  private nextProbe = 0;
  private nextHurry = 0;
  private readonly gate = new Semaphore(AT_ONCE);

  constructor(private readonly parts: TimerParts) {}

  /** Something may have become due, or will at `due`: what is further away than the next look is left to that. */
  wake(due?: Instant): void {
    if (due !== undefined && millis(due) > millis(this.parts.clock()) + LOOK_AGAIN_MS) return;
    this.awake = true;
    this.rouse?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    // As it may have been for whoever led before.
    this.isAway = true;
    while (!signal.aborted) {
      this.awake = false;
      try {
        const done = await this.runDue();
        if (done === 0) await this.idle(await this.pause(), signal);
      } catch (error) {
        this.parts.onFault(error as Error);
        await this.idle(LOOK_AGAIN_MS, signal);
      }
    }
  }

  /** Does what is due now; returns how many timers it ended. */
  async runDue(): Promise<number> {
    const { db } = this.parts;
    const groups = byTarget(await this.due());
    const ended: DueTimer[] = [];
    const wasAway = this.isAway;
    const until = performance.now() + (this.parts.turnMs ?? TURN_MS);
    await Promise.all([...groups.values()].map((group) => this.gate.run(() => this.inOrder(group, ended, until))));
    if (ended.length > 0) await endTimers(db, ended);
    if (wasAway) await this.hurry(ended.length > 0);
    return ended.length;
  }

  /** Not each time that one goes through: another may be told for good that an engine is away. */
  private async hurry(isBack: boolean): Promise<void> {
    const { db, clock } = this.parts;
    const now = performance.now();
    if (isBack && now >= this.nextHurry) {
      this.isAway = false;
      this.nextHurry = now + PROBE_MS;
      await hurryHeld(db, clock());
    } else if (!isBack && now >= this.nextProbe) {
      this.nextProbe = now + PROBE_MS;
      this.isAway = await hurryOneHeld(db, clock());
    }
  }

  /** The oldest that are due; of more than fit together each workspace's own, so that none waits for what another has to do. */
  private async due(): Promise<readonly DueTimer[]> {
    const { db, clock } = this.parts;
    const now = clock();
    const oldest = await dueTimers(db, now, BATCH);
    if (oldest.length < BATCH) return oldest;
    const turns = await dueTurns(db, now, { after: this.lastTurn, limit: BATCH });
    this.lastTurn = turns.length < BATCH ? undefined : turns.at(-1);
    const workspaces = [...new Set(turns.map(({ workspace }) => workspace))];
    if (workspaces.length < 2) return oldest;
    const shares = await dueTimersOf(db, now, { workspaces, share: Math.floor(BATCH / workspaces.length) });
    const taken = new Set(shares.map(({ key }) => key));
    // What some leave of their shares goes to the oldest.
    return [...shares, ...oldest.filter(({ key }) => !taken.has(key))].slice(0, BATCH);
  }

  /** The timers of one thing, in the order of the events that led to them; after one that fails the rest waits with it, and past `until` for its next turn. */
  private async inOrder(group: readonly DueTimer[], ended: DueTimer[], until: number): Promise<void> {
    for (const timer of [...group].sort((a, b) => a.position - b.position)) {
      if (!(await this.isEnded(timer))) return;
      ended.push(timer);
      if (performance.now() >= until) return;
    }
  }

  private async isEnded(timer: DueTimer): Promise<boolean> {
    const { commands, clock, onDone, onFault, db } = this.parts;
    // What was due is due, also when the clock is set back meanwhile: a decider would refuse it, and it would be owed no more.
    const [now, due] = [clock(), timer.dueAt];
    const at = now > due ? now : due;
    const late = millis(at) - millis(due);
    const { workspace, correlationId, cause, key, traceparent } = timer;
    try {
      const known: Readonly<Record<string, Owed>> = this.parts.owed ?? owedCommands;
      const owed = known[timer.kind];
      if (!owed) throw new Error(`No command is known for timers of kind ${timer.kind}`);
      await owed(commands, timer.payload, {
        workspace,
        actor: 'system',
        correlationId,
        causationId: publicEventId(cause),
        commandId: followingUuid(cause, key),
        at,
        repeatable: true,
        ...(traceparent !== null && { traceparent }),
      });
      onDone?.(timer.kind, 'done', late);
      return true;
    } catch (error) {
      // A refusal by the domain is final: what was owed no longer applies.
      if (error instanceof DomainError) {
        onDone?.(timer.kind, 'obsolete', late);
        return true;
      }
      onFault(error as Error, timer);
      onDone?.(timer.kind, 'failed', late);
      const pause = Math.min(SECOND * 2 ** timer.failures, LONGEST_PAUSE_MS);
      // Only an outage passes for certain: what fails for good must not hold its thing up for ever.
      const holds = isEngineOutage(error);
      if (holds && !this.isAway) [this.isAway, this.nextProbe] = [true, performance.now() + PROBE_MS];
      await postponeTimer(db, timer, { dueAt: plus(at, pause), failure: (error as Error).message, holds });
      return false;
    }
  }

  private async pause(): Promise<number> {
    const next = await nextDue(this.parts.db);
    return next === null
      ? LOOK_AGAIN_MS
      : Math.min(LOOK_AGAIN_MS, Math.max(1, millis(next) - millis(this.parts.clock())));
  }

  private async idle(ms: number, signal: AbortSignal): Promise<void> {
    if (this.awake || signal.aborted) return;
    await new Promise<void>((done) => {
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end, { once: true });
      this.rouse = end;
      function end() {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        done();
      }
    });
    this.rouse = undefined;
  }
}

const byTarget = (timers: readonly DueTimer[]): ReadonlyMap<string, readonly DueTimer[]> =>
  grouped(timers, ({ workspace, target }) => `${workspace}:${target}`);
