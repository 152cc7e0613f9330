import { grouped, instant, plus, type Clock } from '#kernel';
import type { Sql } from '#postgres';
import type { Memory } from '../dispatch/memory';
import { taskOf, type Hold, type Task } from '../dispatch/task';
import { isStateLike } from '../intake/coalesce';
import type { Outcome } from '../record/outcome';
import { prune } from './prune';
import { DEEPEST, readLines, readOn, type QueueRow } from './queue-rows';

export interface OrderedLaneNeeds {
  readonly db: Sql;
  readonly clock: Clock;
  readonly submit: (task: Task) => void;
  /** Whether the endpoint asks for order at present. One that no longer does has its queue sent without it. */
  readonly isOrdered: (endpoint: number) => boolean;
  /** Whether it wants only the newest of what tells a state. */
  readonly wantsLatestOnly: (endpoint: number) => boolean;
  readonly onFault: (error: Error) => void;
  /** What the lanes of all endpoints take together. */
  readonly memory: Memory;
}

interface Rest {
  /** The lowest sequence that it may go on with. */
  readonly first: number;
  readonly untilMs: number;
  /** It waits for its time, or has waited. */
  readonly isHeldUp: boolean;
}

/** One entity: its first is under way or waits for its time, the others wait for the first. Without order each delivery is a line. */
interface Line {
  readonly items: QueueRow[];
  /** There are more of it in the queue, up to the lane's cursor, than memory holds. */
  spilled: boolean;
  /** Numbers of what is under way: the first alone, but for what went before the endpoint asked for order. */
  readonly flying: Set<number>;
  /** Nothing of it is in memory: its first waits for its time, or memory has sent all that it had and reads on. */
  rest: Rest | undefined;
  /** It was looked at for what is worthless since its first was the first. */
  isPruned: boolean;
  timer: NodeJS.Timeout | undefined;
}

const newLine = (): Line => ({
  items: [],
  spilled: false,
  flying: new Set(),
  rest: undefined,
  isPruned: false,
  timer: undefined,
});

/** Deliveries in memory, of an endpoint that has memory for itself. */
const WINDOW = 1_000;
/** Who waits for longer waits in the queue alone, and takes no place in the window from others. */
const REST_FROM_MS = 500;
/** What was not sent for so long, or has failed, was held up: of a state the newest will do, for who wants that. */
const HELD_UP_MS = 5_000;
/** Entities that may wait so, and how many are brought back at once when their time has come. */
const MOST_AT_REST = 20_000;
const BROUGHT_BACK = 20;
const PAGE = 200;
/** Looks at the clock again after it: it may have been set. */
const LONGEST_TIMER_MS = 2_000;

/**
 * The queue of one `ordered` endpoint in the hands of the one worker that holds its lane: per entity one delivery at a time,
 * by sequence; the next when that one is delivered, parked or discarded. Entities do not wait for each other.
 */
export class OrderedLane {
  private readonly lines = new Map<string, Line>();
  private inOrder: boolean;
  private cursor = 0;
  /** Raised by every reset, so that what was read before is not believed. */
  private epoch = 0;
  /** How often something was put behind the cursor, as of the last look. */
  private requeued: number | undefined;
  /** Recorded while the queue is being read: what was read may still show them. */
  private readonly passed = new Set<number>();
  private loaded = 0;
  private resting = 0;
  /** Names of lines whose rest is over. */
  private readonly rested = new Set<string>();
  /** The queue was read to its end, and nobody has said since that it has grown. */
  private isRead = false;
  private pulling = false;
  private stopped = false;

  constructor(
    private readonly endpoint: number,
    private readonly hold: Hold,
    private readonly needs: OrderedLaneNeeds,
  ) {
    this.inOrder = needs.isOrdered(endpoint);
  }

  /** There may be more in the queue: reads on as far as the window reaches. */
  async pull(): Promise<void> {
    this.isRead = false;
    await this.fill();
  }

  /** Reads what there is room for. Who calls while it reads has said before what there is to read, and the loop finds it. */
  private async fill(): Promise<void> {
    if (this.pulling) return;
    this.pulling = true;
    try {
      while (!this.stopped && this.room > 0 && this.mayHaveMore)
        await (this.rested.size > 0 ? this.bringBack() : this.readPage());
    } catch (error) {
      this.isRead = false;
      if (!this.stopped) this.needs.onFault(error as Error);
    } finally {
      this.pulling = false;
    }
  }

  /** Reads on, or anew when `requeued` says that something was put behind the cursor since the last look, or the endpoint has changed. */
  async look(requeued: number): Promise<void> {
    const isBehind = requeued !== this.requeued || this.needs.isOrdered(this.endpoint) !== this.inOrder;
    this.requeued = requeued;
    await (isBehind ? this.reset() : this.pull());
  }

  /** The queue has changed behind the cursor (a replay, a discard), or the endpoint: what is not under way is read again. */
  async reset(): Promise<void> {
    const flying: QueueRow[] = [];
    for (const line of this.lines.values())
      flying.push(...line.items.filter(({ sequence }) => line.flying.has(sequence)));
    this.forget();
    this.inOrder = this.needs.isOrdered(this.endpoint);
    for (const row of flying.sort((one, other) => one.sequence - other.sequence)) {
      const line = this.line(row);
      this.load(line, row);
      line.flying.add(row.sequence);
    }
    this.cursor = 0;
    this.epoch++;
    await this.pull();
  }

  /** The outcome of a delivery of this lane is written. */
  recorded({ task, decision }: Outcome): void {
    const name = this.nameOf(task);
    const line = this.lines.get(name);
    const at = line?.items.findIndex(({ sequence }) => sequence === task.sequence) ?? -1;
    if (!line || at < 0) return;
    line.flying.delete(task.sequence);
    const row = line.items[at]!;
    if (decision.state === 'waiting') line.items[at] = { ...row, due_at: plus(this.needs.clock(), decision.ms) };
    else if (decision.state === 'retrying') {
      const { tries, dueMs } = decision;
      line.items[at] = { ...row, tries, number: task.number + 1, due_at: instant(dueMs) };
    } else {
      line.items.splice(at, 1);
      line.isPruned = false;
      this.unload(row);
      if (this.pulling) this.passed.add(task.sequence);
    }
    if (line.items.length > 0) this.advance(line);
    else if (line.spilled) this.rest(name, line, { first: task.sequence + 1, untilMs: 0, isHeldUp: false });
    else this.lines.delete(name);
    this.fillIfLow();
  }

  /** What came of a delivery does not count, as it was discarded by hand meanwhile, or is to be sent again before the next: the queue says which. */
  async undecided(task: Pick<Task, 'key' | 'sequence'>): Promise<void> {
    this.lines.get(this.nameOf(task))?.flying.delete(task.sequence);
    await this.reset();
  }

  stop(): void {
    this.stopped = true;
    this.forget();
  }

  /** How many more memory takes. */
  private get room(): number {
    return Math.min(WINDOW, this.needs.memory.part) - this.loaded;
  }

  private get mayHaveMore(): boolean {
    return this.rested.size > 0 || (!this.isRead && this.resting < MOST_AT_REST);
  }

  private fillIfLow(): void {
    if (this.rested.size > 0 || (!this.isRead && this.loaded < this.room)) void this.fill();
  }

  private async readPage(): Promise<void> {
    const { cursor: after, epoch, passed, inOrder } = this;
    const limit = Math.min(PAGE, this.room);
    passed.clear();
    this.isRead = true;
    const rows = await readOn(this.needs.db, this.endpoint, { after, limit, inOrder });
    if (this.stopped || this.epoch !== epoch) return;
    if (rows.length === limit) this.isRead = false;
    for (const row of rows) if (!passed.has(row.sequence)) this.take(row);
    if (rows.length > 0) this.cursor = rows.at(-1)!.sequence;
  }

  /** Reads what some of those begin with whose rest is over. */
  private async bringBack(): Promise<void> {
    const { epoch } = this;
    const names = [...this.rested].slice(0, Math.min(BROUGHT_BACK, this.room));
    const heldUp = this.prunes ? names.filter((name) => this.lines.get(name)!.rest!.isHeldUp) : [];
    if (heldUp.length > 0) await prune(this.needs.db, this.endpoint, heldUp, this.needs.clock());
    if (this.stopped || this.epoch !== epoch) return;
    const rows = await readLines(this.needs.db, this.endpoint, {
      names,
      firsts: names.map((name) => this.lines.get(name)!.rest!.first),
      until: this.cursor,
      inOrder: this.inOrder,
    });
    if (this.stopped || this.epoch !== epoch) return;
    const found = grouped(rows, ({ line }) => line);
    for (const name of names) {
      const line = this.lines.get(name)!;
      const own = found.get(name) ?? [];
      this.rested.delete(name);
      this.resting--;
      line.isPruned = line.rest!.isHeldUp;
      line.rest = undefined;
      line.spilled = own.length === DEEPEST;
      for (const row of own) this.load(line, row);
      if (own.length > 0) this.advance(line);
      else this.lines.delete(name);
    }
  }

  private load(line: Line, row: QueueRow): void {
    line.items.push(row);
    this.loaded++;
    this.needs.memory.take(row.body.length);
  }

  private unload({ body }: QueueRow): void {
    this.loaded--;
    this.needs.memory.give(body.length);
  }

  private forget(): void {
    for (const { timer, items } of this.lines.values()) {
      clearTimeout(timer);
      for (const row of items) this.unload(row);
    }
    this.lines.clear();
    this.rested.clear();
    this.resting = 0;
  }

  private take(row: QueueRow): void {
    const line = this.line(row);
    if (line.items.some(({ sequence }) => sequence === row.sequence)) return;
    if (line.spilled || line.items.length >= DEEPEST) line.spilled = true;
    else {
      this.load(line, row);
      if (line.items.length === 1) this.advance(line);
    }
  }

  private nameOf({ key, sequence }: Pick<QueueRow, 'key' | 'sequence'>): string {
    return this.inOrder ? key : `${sequence}`;
  }

  private line(row: QueueRow): Line {
    const name = this.nameOf(row);
    let line = this.lines.get(name);
    if (!line) this.lines.set(name, (line = newLine()));
    return line;
  }

  /** Sends the first of the line, now or when it is due. */
  private advance(line: Line): void {
    const row = line.items[0]!;
    if (line.flying.has(row.sequence)) return;
    clearTimeout(line.timer);
    const wait = row.due_at === null ? 0 : Date.parse(row.due_at) - Date.parse(this.needs.clock());
    if (wait > REST_FROM_MS && line.flying.size === 0) return this.makeRoom(line, row);
    if (wait > 0) {
      line.timer = setTimeout(() => this.advance(line), Math.min(wait, LONGEST_TIMER_MS));
      return;
    }
    if (this.mayBeWorthless(line, row)) return this.makeRoom(line, row);
    line.flying.add(row.sequence);
    const { endpoint, hold: lane } = this;
    this.needs.submit(taskOf(row, { endpoint, coalesce: null, batch: null, lane, replayedAt: row.replayed_at }));
  }

  private get prunes(): boolean {
    return this.inOrder && this.needs.wantsLatestOnly(this.endpoint);
  }

  /** Whether a newer one of its kind may stand behind it. */
  private mayBeWorthless({ items, spilled, flying, isPruned }: Line, row: QueueRow): boolean {
    if (isPruned || flying.size > 0 || (items.length === 1 && !spilled)) return false;
    if (row.replay || !isStateLike(row.type) || !this.prunes) return false;
    return row.tries > 0 || Date.parse(this.needs.clock()) - Date.parse(row.created_at) > HELD_UP_MS;
  }

  /** Nothing of an entity can go before the time of its first: others have its place meanwhile. */
  private makeRoom(line: Line, first: QueueRow): void {
    const items = line.items.splice(0);
    for (const row of items) this.unload(row);
    // What is to be sent again may have come in behind later ones.
    const lowest = Math.min(...items.map(({ sequence }) => sequence));
    const untilMs = first.due_at === null ? 0 : Date.parse(first.due_at);
    this.rest(this.nameOf(first), line, { first: lowest, untilMs, isHeldUp: true });
    this.fillIfLow();
  }

  private rest(name: string, line: Line, rest: Rest): void {
    line.rest = rest;
    line.spilled = true;
    this.resting++;
    this.sleep(name, line);
  }

  private sleep(name: string, line: Line): void {
    const wait = line.rest!.untilMs - Date.parse(this.needs.clock());
    if (wait > 0) line.timer = setTimeout(() => this.sleep(name, line), Math.min(wait, LONGEST_TIMER_MS));
    else {
      this.rested.add(name);
      void this.fill();
    }
  }
}
