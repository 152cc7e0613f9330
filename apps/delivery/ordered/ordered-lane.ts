import { instant, plus, type Clock } from '#kernel';
import type { Sql } from '#postgres';
import type { Task } from '../dispatch/task';
import type { Outcome } from '../record/outcome';

export interface OrderedLaneNeeds {
  readonly db: Sql;
  readonly clock: Clock;
  readonly submit: (task: Task) => void;
  readonly onFault: (error: Error) => void;
}

interface QueueRow {
  readonly id: string;
  readonly sequence: number;
  readonly key: string;
  readonly due_at: string | null;
  readonly message_id: string;
  readonly type: string;
  readonly tries: number;
  readonly replay: boolean;
  readonly replayed_at: string | null;
  readonly number: number;
  readonly body: string;
}

/** One entity: its first is under way or waits for its time, the others wait for the first. */
interface Line {
  readonly items: QueueRow[];
  /** There are more of it in the queue, up to the lane's cursor, than memory holds. */
  spilled: boolean;
  flying: boolean;
  refilling: boolean;
  timer: NodeJS.Timeout | undefined;
}

const WINDOW = 1_000;
const PAGE = 200;
/** Deliveries of one entity in memory: an entity that fails must not fill the window. */
const DEEPEST = 10;
/** Looks at the clock again after it: it may have been set. */
const LONGEST_TIMER_MS = 2_000;

const SELECT = `select d.id, q.sequence, q.key, q.due_at, d.message_id, d.type, d.tries, d.replay, case when d.replay then d.changed_at::text end as replayed_at, b.body,
  1 + (select count(*) from delivery.attempt a where a.delivery_id = d.id) as number
  from delivery.queue q join delivery.delivery d on d.id = q.delivery_id join delivery.body b on b.id = d.body_id`;

export const laneName = (endpoint: number): string => `ordered:${endpoint}`;

/**
 * The queue of one `ordered` endpoint in the hands of the one worker that holds its lane: per entity one delivery at a time,
 * by sequence; the next when that one is delivered, parked or discarded. Entities do not wait for each other.
 */
export class OrderedLane {
  private readonly lines = new Map<string, Line>();
  private cursor = 0;
  /** Raised by every reset, so that what was read before is not believed. */
  private epoch = 0;
  /** How often something was put behind the cursor, as of the last look. */
  private requeued: number | undefined;
  /** Recorded while the queue is being read: what was read may still show them. */
  private readonly passed = new Set<number>();
  private loaded = 0;
  private pulling = false;
  private again = false;
  private stopped = false;

  constructor(
    private readonly endpoint: number,
    private readonly needs: OrderedLaneNeeds,
  ) {}

  /** Nothing is known to be left. */
  get isEmpty(): boolean {
    return this.lines.size === 0 && !this.pulling;
  }

  /** Reads on in the queue as far as the window reaches. */
  async pull(): Promise<void> {
    if (this.pulling) {
      this.again = true;
      return;
    }
    this.pulling = true;
    try {
      do {
        this.again = false;
        await this.pullSome();
      } while (this.again && !this.stopped);
    } catch (error) {
      if (!this.stopped) this.needs.onFault(error as Error);
    } finally {
      this.pulling = false;
    }
  }

  /** Reads on, or anew when `requeued` says that something was put behind the cursor since the last look. */
  async look(requeued: number): Promise<void> {
    const isBehind = requeued !== this.requeued;
    this.requeued = requeued;
    await (isBehind ? this.reset() : this.pull());
  }

  /** The queue has changed behind the cursor (a replay, a discard): what is not under way is read again. */
  async reset(): Promise<void> {
    for (const [key, line] of this.lines) {
      clearTimeout(line.timer);
      this.loaded -= line.items.length;
      if (line.flying && line.items.length > 0) {
        line.items.length = 1;
        line.spilled = false;
        this.loaded++;
      } else this.lines.delete(key);
    }
    this.cursor = 0;
    this.epoch++;
    await this.pull();
  }

  /** The outcome of a delivery of this lane is written. */
  recorded({ task, decision }: Outcome): void {
    const line = this.lines.get(task.key);
    const head = line?.items[0];
    if (!line || head?.sequence !== task.sequence) return;
    line.flying = false;
    if (decision.state === 'waiting') {
      line.items[0] = { ...head, due_at: plus(this.needs.clock(), decision.ms) };
      this.advance(task.key, line);
      return;
    }
    if (decision.state === 'retrying') {
      line.items[0] = { ...head, tries: decision.tries, number: task.number + 1, due_at: instant(decision.dueMs) };
      this.advance(task.key, line);
      return;
    }
    line.items.shift();
    this.loaded--;
    if (this.pulling) this.passed.add(task.sequence);
    if (line.items.length > 0) this.advance(task.key, line);
    else if (line.spilled) void this.refill(task.key, line, task.sequence);
    else this.lines.delete(task.key);
    if (this.loaded < WINDOW / 2) void this.pull();
  }

  stop(): void {
    this.stopped = true;
    for (const line of this.lines.values()) clearTimeout(line.timer);
    this.lines.clear();
  }

  private async pullSome(): Promise<void> {
    while (this.loaded < WINDOW && !this.stopped) {
      const { cursor: from, epoch, passed } = this;
      passed.clear();
      const rows = await this.needs.db.query<QueueRow>(
        `${SELECT} where q.endpoint = $1 and q.sequence > $2 order by q.sequence limit ${PAGE}`,
        [this.endpoint, from],
      );
      if (this.epoch !== epoch) continue;
      for (const row of rows) if (!passed.has(row.sequence)) this.take(row);
      if (rows.length > 0) this.cursor = rows.at(-1)!.sequence;
      if (rows.length < PAGE) return;
    }
  }

  private take(row: QueueRow): void {
    const line = this.lines.get(row.key);
    if (!line) {
      const fresh: Line = { items: [row], spilled: false, flying: false, refilling: false, timer: undefined };
      this.lines.set(row.key, fresh);
      this.loaded++;
      this.advance(row.key, fresh);
    } else if (line.items[0]?.sequence === row.sequence) return;
    else if (line.spilled || line.refilling || line.items.length >= DEEPEST) line.spilled = true;
    else {
      line.items.push(row);
      this.loaded++;
    }
  }

  /** Memory has sent all it had of an entity: reads on where it had stopped to keep up. */
  private async refill(key: string, line: Line, after: number): Promise<void> {
    line.refilling = true;
    line.spilled = false;
    try {
      const rows = await this.needs.db.query<QueueRow>(
        `${SELECT} where q.endpoint = $1 and q.key = $2 and q.sequence > $3 and q.sequence <= $4 order by q.sequence limit ${DEEPEST}`,
        [this.endpoint, key, after, this.cursor],
      );
      if (this.stopped || this.lines.get(key) !== line) return;
      line.refilling = false;
      line.items.push(...rows);
      this.loaded += rows.length;
      line.spilled ||= rows.length === DEEPEST;
      if (rows.length > 0) this.advance(key, line);
      else if (line.spilled) await this.refill(key, line, after);
      else this.lines.delete(key);
    } catch (error) {
      if (this.stopped) return;
      this.needs.onFault(error as Error);
      line.timer = setTimeout(() => void this.refill(key, line, after), 1_000);
    }
  }

  /** Sends the first of the line, now or when it is due. */
  private advance(key: string, line: Line): void {
    const row = line.items[0]!;
    const wait = row.due_at === null ? 0 : Date.parse(row.due_at) - Date.parse(this.needs.clock());
    if (wait > 0) {
      line.timer = setTimeout(() => this.advance(key, line), Math.min(wait, LONGEST_TIMER_MS));
      return;
    }
    line.flying = true;
    this.needs.submit({
      id: row.id,
      endpoint: this.endpoint,
      sequence: row.sequence,
      messageId: `evt_${row.message_id}`,
      type: row.type,
      key,
      body: row.body,
      number: Number(row.number),
      tries: row.tries,
      replay: row.replay,
      exceptional: true,
      coalesce: null,
      batch: null,
      lane: laneName(this.endpoint),
      replayedAt: row.replayed_at,
    });
  }
}
