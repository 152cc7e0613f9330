import { randomUUID } from 'node:crypto';
import type { Clock } from '#kernel';
import type { Database } from '#postgres';

const BEAT_MS = 1_000;
/** Without a heartbeat for so long a worker counts as dead, by the database's clock. */
const DEAD_AFTER_MS = 5_000;
/** A worker itself stops sending earlier, so that nobody else has taken over what it still sends. */
const UNSURE_AFTER_MS = 4_000;
/** More than two clocks of one machine differ over a heartbeat, and less than makes anybody dead. */
const SET_FORWARD_MS = 2_000;

export interface PresenceNeeds {
  readonly db: Database;
  readonly clock: Clock;
  readonly name: string;
  /** The heartbeat was answered: it is sure again, if it was not. Tells the version of the endpoints, for whom no wake-up told of a new one. */
  readonly onBeat: (endpointsVersion: number | undefined) => void;
  /** Others have given this worker up: what it holds is no longer its own. */
  readonly onLost: () => void;
  /** Deliveries of a dead worker wait again. */
  readonly onTakenOver: (deliveries: number) => void;
  readonly onFault: (error: Error) => void;
}

/** One living worker: its heartbeat, what it holds, and the dead ones it cleans up after. */
export class Presence {
  id: string = randomUUID();
  private timer: NodeJS.Timeout | undefined;
  private beatSentAt = 0;
  /** Until then nobody is taken for dead: after a time without the database, or a crash of it, the others are as late as this one. */
  private lenientUntil = 0;
  private stopped = false;

  constructor(private readonly needs: PresenceNeeds) {}

  /** Whether leases are surely still this worker's. */
  get isSure(): boolean {
    return performance.now() - this.beatSentAt < UNSURE_AFTER_MS;
  }

  async start(): Promise<void> {
    this.beatSentAt = await this.register(this.id);
    await this.reap();
    this.timer = setTimeout(() => void this.beat(), BEAT_MS);
  }

  /** Holds `name` for this worker, unless another living one does. */
  async hold(name: string): Promise<boolean> {
    const rows = await this.needs.db.query(
      `insert into delivery.hold as h (name, worker) values ($1, $2)
       on conflict (name) do update set worker = excluded.worker
       where h.worker = excluded.worker or not exists (select from delivery.worker w where w.id = h.worker)
       returning 1`,
      [name, this.id],
    );
    return rows.length > 0;
  }

  async letGo(name: string): Promise<void> {
    await this.needs.db.query('delete from delivery.hold where name = $1 and worker = $2', [name, this.id]);
  }

  /** Gives back everything, and leaves. */
  async leave(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.needs.db.query('select delivery.release($1, $2)', [this.id, this.needs.clock()]);
  }

  kill(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Resolves with when it was sent. */
  private async register(id: string): Promise<number> {
    const sentAt = performance.now();
    await this.needs.db.query('insert into delivery.worker (id, name) values ($1, $2)', [id, this.needs.name]);
    return sentAt;
  }

  private async beat(): Promise<void> {
    try {
      const sentAt = performance.now();
      const rows = await this.needs.db.query<{ passed: number; version: number }>(
        `with before as (select id, beat_at from delivery.worker where id = $1 for update)
         update delivery.worker w set beat_at = clock_timestamp() from before where w.id = before.id
         returning extract(epoch from clock_timestamp() - before.beat_at)::float8 * 1000 as passed,
           (select version from delivery.endpoint_version) as version`,
        [this.id],
      );
      if (this.stopped) return;
      // The others have beaten as this one has: it is the clock that was set forward, or the machine has slept.
      const [row] = rows;
      const isSetForward = row !== undefined && row.passed > performance.now() - this.beatSentAt + SET_FORWARD_MS;
      if (!this.isSure || isSetForward || !row) this.lenientUntil = sentAt + DEAD_AFTER_MS;
      if (row) this.beatSentAt = sentAt;
      else {
        const id = randomUUID();
        const registeredAt = await this.register(id);
        this.id = id;
        this.needs.onLost();
        // Not before: what it held is not its own, and is not sent.
        this.beatSentAt = registeredAt;
      }
      this.needs.onBeat(row?.version);
      await this.reap();
    } catch (error) {
      if (!this.stopped) this.needs.onFault(error as Error);
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.beat(), BEAT_MS);
  }

  private async reap(): Promise<void> {
    if (performance.now() < this.lenientUntil) return;
    const rows = await this.needs.db.query<{ given: number }>(
      `with ahead as (
         -- Heard by a clock that has been set back since: counted from now on, so that one that died before is not taken for living until then.
         update delivery.worker set beat_at = clock_timestamp()
         where id in (select id from delivery.worker where beat_at > clock_timestamp() for update skip locked)
       ), dead as materialized (
         -- A server that has just started has heard nobody yet.
         select id from delivery.worker
         where beat_at < clock_timestamp() - make_interval(secs => $1)
           and pg_postmaster_start_time() not between clock_timestamp() - make_interval(secs => $1) and clock_timestamp()
         for update skip locked
       ), orphaned as materialized (
         -- Written by a worker that did not know yet that it had been given up.
         select distinct l.worker as id from delivery.lease l
         where l.created_at not between clock_timestamp() - make_interval(secs => $1) and clock_timestamp()
           and not exists (select from delivery.worker w where w.id = l.worker)
       )
       select delivery.release(id, $2) as given from (select id from dead union select id from orphaned) gone`,
      [DEAD_AFTER_MS / 1000, this.needs.clock()],
    );
    const given = rows.reduce((sum, row) => sum + row.given, 0);
    if (rows.length > 0) this.needs.onTakenOver(given);
  }
}
