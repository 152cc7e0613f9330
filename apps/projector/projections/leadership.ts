import { MINUTE } from '#kernel';
import type { Database } from '#postgres';
import type { Projection } from './projection';

const LOCK = 7_305_003;
const TICK_MS = 500;
/** After the session of a frozen leader was ended: its locks are free in a moment. */
const SOON_MS = 50;
/** A leader that was not seen for so long is frozen or cut off; another takes over. */
const LEASE_MS = 2_000;
/** What a newer build shows is led by no older one, until nobody has led it for so long: then the newer one has been taken back. */
const NEWER_MS = MINUTE;

export interface LeadershipOptions {
  readonly db: Database;
  readonly projections: readonly Pick<Projection, 'name' | 'shape'>[];
  /** Shown in the leader table. */
  readonly process: string;
  /** This process leads `name` from now on, until `signal` aborts. Must end soon after that. */
  readonly lead: (name: string, epoch: number, signal: AbortSignal) => Promise<void>;
  readonly onFault: (error: Error) => void;
  readonly tickMs?: number;
}

// A session that has a lock already is given it again: a name whose reign has ended is led anew by the same process.
const TAKE = `with free as materialized (
    select name from unnest($1::text[], $2::text[]) own (name, shape) where not exists (
      select from projector.checkpoint c join projector.leader l using (name)
      where c.name = own.name and c.status = 'current' and l.seen_at > now() - $3 * interval '1 millisecond'
        and case when c.shape ~ '^[0-9]+$' and own.shape ~ '^[0-9]+$' then c.shape::int > own.shape::int end)
  ) select name from free where pg_try_advisory_lock(${LOCK}, hashtext(name))`;

// The lock's holder did not show itself in time: its session ends, and with it the lock.
const EVICT = `select pg_terminate_backend(l.pid) from projector.leader d
  join pg_locks l on l.locktype = 'advisory' and l.granted and l.classid = ${LOCK}
    and l.objid::bigint = hashtext(d.name)::bigint & 4294967295 and l.pid = d.pid
    and l.database = (select oid from pg_database where datname = current_database())
  where d.name = any($1) and d.seen_at < now() - $2 * interval '1 millisecond'`;

// Tells as well who is led in vain: a rebuild by hand has put a build in the place of theirs, with an epoch of its own, and they would
// not hear of it before they next had something to write. By then the table of the former build may be gone.
const SEEN = `with seen as (update projector.leader set seen_at = now() where name = any($1) and pid = pg_backend_pid())
  select name from unnest($1::text[], $2::bigint[]) led (name, epoch) join projector.checkpoint c using (name)
    where c.status = 'current' and c.epoch <> led.epoch`;

// Above every epoch that a checkpoint has ever had, also one that a rebuild by hand gave it.
const ENTHRONE = `insert into projector.leader as l (name, epoch, pid, process)
  select name, 1 + coalesce(max(c.epoch), 0), pg_backend_pid(), $2 from unnest($1::text[]) name left join projector.checkpoint c using (name) group by name
  on conflict (name) do update set epoch = greatest(l.epoch + 1, excluded.epoch), pid = excluded.pid, process = excluded.process, seen_at = now()
  returning name, epoch`;

const FENCE = "update projector.checkpoint set epoch = $2 where name = $1 and epoch < $2 and status = 'current'";

interface Crowned {
  readonly name: string;
  readonly epoch: number;
}

interface Reign {
  readonly epoch: number;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

type Session = Awaited<ReturnType<Database['session']>>;

/**
 * One leader per name among all processes: a session lock, so that a death hands over at once, and a lease beside it, so
 * that a frozen process does within seconds. Each reign has a new epoch, written into the checkpoints it may move; a
 * former leader that wakes up finds another epoch there and cannot write a row.
 */
export class Leadership {
  private session: Session | undefined;
  private readonly reigns = new Map<string, Reign>();
  private timer: NodeJS.Timeout | undefined;
  private ticking: Promise<void> | undefined;
  private stopped = false;

  constructor(private readonly options: LeadershipOptions) {}

  /** The names this process leads. */
  get led(): readonly string[] {
    return [...this.reigns.keys()];
  }

  start(): void {
    this.tick();
  }

  /** Gives everything up, after the work in hand. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.ticking;
    this.abdicate();
    await Promise.all([...this.reigns.values()].map(({ done }) => done));
    this.session?.release(true);
    this.session = undefined;
  }

  private tick(): void {
    const { tickMs = TICK_MS, onFault } = this.options;
    this.ticking = this.beat()
      .catch((error: Error) => {
        onFault(error);
        this.lose();
        return false;
      })
      .then((hasEvicted) => {
        this.ticking = undefined;
        if (!this.stopped) this.timer = setTimeout(() => this.tick(), hasEvicted ? SOON_MS : tickMs);
      });
  }

  /** Shows itself, and takes what is free. Resolves with whether more will be in a moment. */
  private async beat(): Promise<boolean> {
    const { db, projections, process } = this.options;
    const session = (this.session ??= await this.open(db));
    const led = [...this.reigns];
    if (led.length > 0) {
      const epochs = led.map(([, { epoch }]) => epoch);
      const replaced = await session.query<{ name: string }>(SEEN, [led.map(([name]) => name), epochs]);
      for (const { name } of replaced) this.reigns.get(name)?.stop.abort();
    }
    const open = projections.filter(({ name }) => !this.reigns.has(name));
    if (open.length === 0) return false;
    const names = open.map(({ name }) => name);
    const shapes = open.map(({ shape }) => shape);
    const taken = (await session.query<{ name: string }>(TAKE, [names, shapes, NEWER_MS])).map(({ name }) => name);
    const others = names.filter((name) => !taken.includes(name));
    const evicted = others.length > 0 ? await session.query(EVICT, [others, LEASE_MS]) : [];
    const crowned = taken.length > 0 ? await session.query<Crowned>(ENTHRONE, [taken, process]) : [];
    for (const { name, epoch } of crowned) {
      // Waits for a transaction of the former leader that still holds the row; the server ends one that is frozen.
      await session.query(FENCE, [name, epoch]);
      this.reign(name, epoch);
    }
    return evicted.length > 0;
  }

  private reign(name: string, epoch: number): void {
    const stop = new AbortController();
    const done = this.options
      .lead(name, epoch, stop.signal)
      .catch(this.options.onFault)
      .finally(() => this.reigns.delete(name));
    this.reigns.set(name, { epoch, stop, done });
  }

  private async open(db: Database): Promise<Session> {
    const session = await db.session();
    session.onLost(() => this.session === session && this.lose());
    return session;
  }

  /** The session is gone, and every lock with it. */
  private lose(): void {
    const session = this.session;
    this.session = undefined;
    this.abdicate();
    session?.release(true);
  }

  private abdicate(): void {
    for (const { stop } of this.reigns.values()) stop.abort();
  }
}
