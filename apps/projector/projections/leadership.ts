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

// What there is to lead of each projection: the build that readers see, for those whose shape it has; for the others what they build
// beside it. An older one leaves a newer build alone for as long as somebody leads that, or builds it.
const SEATS = `seats as materialized (
    select own.name, case when coalesce(c.shape, own.shape) = own.shape then own.name else own.name || '/' || own.shape end as seat
    from unnest($1::text[], $2::text[]) own (name, shape)
      left join projector.checkpoint c on c.name = own.name and c.status = 'current'
    where not coalesce(case when c.shape ~ '^[0-9]+$' and own.shape ~ '^[0-9]+$' then c.shape::int > own.shape::int end, false)
      or not exists (select from projector.leader l
        where l.name in (c.name, c.name || '/' || c.shape) and l.seen_at > now() - ${NEWER_MS} * interval '1 millisecond'))`;

// A session that has a lock already is given it again: what it has led it may lead anew, before others do.
const TAKE = `with ${SEATS} select name, seat, pg_try_advisory_lock(${LOCK}, hashtext(seat)) as taken from seats`;

// The former reign's hold; that of a new one stays.
const LET_GO = `select pg_advisory_unlock(${LOCK}, hashtext(seat)) from unnest($1::text[]) seat`;

// The lock's holder did not show itself in time: its session ends, and with it the lock.
const EVICT = `select pg_terminate_backend(l.pid) from projector.leader d
  join pg_locks l on l.locktype = 'advisory' and l.granted and l.classid = ${LOCK}
    and l.objid::bigint = hashtext(d.name)::bigint & 4294967295 and l.pid = d.pid
    and l.database = (select oid from pg_database where datname = current_database())
  where d.name = any($1) and d.seen_at < now() - $2 * interval '1 millisecond'`;

// Tells as well who is led in vain: another build, of this shape or another, has come in the place of theirs, and they would not hear
// of it before they next had something to write. By then the table of the former build may be gone.
const SEEN = `with seen as (update projector.leader set seen_at = now() where name = any($3) and pid = pg_backend_pid()), ${SEATS}
  select name from unnest($1::text[], $3::text[], $4::bigint[]) led (name, seat, epoch) where not exists (
    select from seats left join projector.checkpoint c on c.name = seat and c.status = 'current'
    where seats.name = led.name and seats.seat = led.seat and coalesce(c.epoch = led.epoch, true))`;

// Above every epoch that a checkpoint has ever had, also one that a rebuild by hand gave it.
const ENTHRONE = `insert into projector.leader as l (name, epoch, pid, process)
  select seat, 1 + coalesce(max(c.epoch), 0), pg_backend_pid(), $3 from unnest($1::text[], $2::text[]) own (name, seat)
    left join projector.checkpoint c on c.name = own.name group by seat
  on conflict (name) do update set epoch = greatest(l.epoch + 1, excluded.epoch), pid = excluded.pid, process = excluded.process, seen_at = now()
  returning name as seat, epoch`;

const FENCE = "update projector.checkpoint set epoch = $2 where name = $1 and epoch < $2 and status = 'current'";

interface Seat {
  readonly name: string;
  readonly seat: string;
}

interface Reign {
  readonly seat: string;
  readonly epoch: number;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

type Session = Awaited<ReturnType<Database['session']>>;

/**
 * One leader per name among all processes, and beside it one for each shape that is being built in its place, so that in a rolling
 * deploy the older processes lead on what readers see: a session lock, so that a death hands over at once, and a lease beside it, so
 * that a frozen process does within seconds. Each reign has a new epoch, written into the checkpoints it may move; a
 * former leader that wakes up finds another epoch there and cannot write a row.
 */
export class Leadership {
  private session: Session | undefined;
  private readonly reigns = new Map<string, Reign>();
  /** Seats whose reign has ended, and whose lock the session still holds. */
  private left: string[] = [];
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
    const shapesOf = (those: typeof projections) => [those.map(({ name }) => name), those.map(({ shape }) => shape)];
    const led = projections.filter(({ name }) => this.reigns.has(name));
    if (led.length > 0) {
      const reigns = led.map(({ name }) => this.reigns.get(name)!);
      const params = [...shapesOf(led), reigns.map(({ seat }) => seat), reigns.map(({ epoch }) => epoch)];
      for (const { name } of await session.query<{ name: string }>(SEEN, params)) this.reigns.get(name)?.stop.abort();
    }
    const left = this.left.splice(0);
    const open = projections.filter(({ name }) => !this.reigns.has(name));
    if (open.length === 0) return false;
    const seats = await session.query<Seat & { taken: boolean }>(TAKE, shapesOf(open));
    if (left.length > 0) await session.query(LET_GO, [left]);
    const taken = seats.filter((seat) => seat.taken);
    const others = seats.filter((seat) => !seat.taken).map(({ seat }) => seat);
    const evicted = others.length > 0 ? await session.query(EVICT, [others, LEASE_MS]) : [];
    if (taken.length > 0) await this.enthrone(session, taken, process);
    return evicted.length > 0;
  }

  private async enthrone(session: Session, taken: readonly Seat[], process: string): Promise<void> {
    const names = new Map(taken.map(({ name, seat }) => [seat, name]));
    const params = [[...names.values()], [...names.keys()], process];
    for (const { seat, epoch } of await session.query<{ seat: string; epoch: number }>(ENTHRONE, params)) {
      // Waits for a transaction of the former leader that still holds the row; the server ends one that is frozen.
      await session.query(FENCE, [seat, epoch]);
      this.reign(names.get(seat)!, seat, epoch);
    }
  }

  private reign(name: string, seat: string, epoch: number): void {
    const stop = new AbortController();
    const { session } = this;
    const done = this.options
      .lead(name, epoch, stop.signal)
      .catch(this.options.onFault)
      .finally(() => {
        this.reigns.delete(name);
        if (this.session === session) this.left.push(seat);
      });
    this.reigns.set(name, { seat, epoch, stop, done });
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
    this.left = [];
    this.abdicate();
    session?.release(true);
  }

  private abdicate(): void {
    for (const { stop } of this.reigns.values()) stop.abort();
  }
}
