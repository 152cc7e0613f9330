import { DAY, HOUR, instant } from '#kernel';
import type { Logger } from '#platform';
import type { Database } from '#postgres';
import { contracts } from '#webhook-contracts';
import type { Metrics } from '../metrics';
import { AHEAD_DAYS, ensureDays, patiently } from './partitions';

export interface RetentionNeeds {
  readonly db: Database;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly days: number;
  readonly hold: (name: string) => Promise<boolean>;
  readonly onFault: (error: Error) => void;
}

const EVERY_MS = HOUR;
/** Changed by one statement: whoever needs one of its rows waits for no more than that. */
const PAGE = 1_000;

/** A place in the order of delivery.newest. */
interface Newest {
  readonly endpoint: number;
  readonly coalesce_key: string;
}

/** Makes partitions ahead of time and drops old ones; parked deliveries stay as long as their contract says. */
export class Retention {
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(private readonly needs: RetentionNeeds) {}

  start(): void {
    void this.run();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /**
   * One round: idempotent, and harmless when two processes do it at once. It goes by the server's clock: a process whose own is ahead
   * would drop what is young. `at` is another moment, in ms since 1970.
   */
  async once(at?: number): Promise<{ dropped: number; expired: number }> {
    const { db, days, metrics, log } = this.needs;
    const now = at ?? (await serverNow(db));
    await ensureDays(db, instant(now), AHEAD_DAYS);
    const oldest = instant(now - days * DAY).slice(0, 10);
    const expired = await this.expireParked(now);
    const old = await db.query<{ day: string }>(
      `select distinct to_char(to_date(right(c.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
       from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent join pg_namespace n on n.oid = p.relnamespace
       where n.nspname = 'delivery' and p.relname in ('delivery', 'attempt', 'body', 'inbox') and c.relname ~ '_[0-9]{8}$'
         and to_date(right(c.relname, 8), 'YYYYMMDD') < $1::date
       order by day`,
      [oldest],
    );
    let dropped = 0;
    for (const { day } of old) {
      const [row] = await patiently(() =>
        db.query<{ dropped: number }>('select delivery.drop_day($1) as dropped', [day]),
      );
      dropped += row!.dropped;
    }
    await this.sweepDefault(oldest);
    await this.forgetNewest(now);
    if (dropped > 0) {
      metrics.partitionsDropped.inc(dropped);
      log.info({ dropped, before: oldest }, 'old delivery partitions dropped');
    }
    return { dropped, expired };
  }

  /** CONTRACTS §1: some contracts keep a parked delivery for fewer days than it would stay. */
  private async expireParked(now: number): Promise<number> {
    const { db } = this.needs;
    let expired = 0;
    for (const contract of contracts.values()) {
      if (contract.parkedRetentionDays === null) continue;
      const before = instant(now - contract.parkedRetentionDays * DAY);
      const endpoints = await db.query<{ no: number }>(
        `select e.no from delivery.endpoint e where e.config ->> 'contract' = $1
           and exists (select from delivery.delivery d where d.endpoint = e.no and d.state = 'parked' and d.changed_at < $2)`,
        [contract.name, before],
      );
      for (const { no } of endpoints)
        for (let more = PAGE; more === PAGE && !this.stopped;) {
          const rows = await db.query(
            `update delivery.delivery d set state = 'discarded', reason = 'expired', changed_at = $3
             where d.state = 'parked' and d.id = any (array(
               select o.id from delivery.delivery o where o.endpoint = $1 and o.state = 'parked' and o.changed_at < $2 limit ${PAGE})) returning 1`,
            [no, before, instant(now)],
          );
          more = rows.length;
          expired += more;
        }
    }
    return expired;
  }

  /** The few that outlived their day, once they are over, and what was taken in too late for its own: the only rows ever deleted one by one. */
  private async sweepDefault(oldest: string): Promise<void> {
    await this.needs.db.query('delete from delivery.inbox_default where created_at < $1', [`${oldest}T00:00:00Z`]);
    await this.needs.db.query(
      `with held as materialized (
         select unnest(l.deliveries) as id from delivery.lease l
       ), over as (
         delete from delivery.delivery_default d where d.id < delivery.id_at($1::timestamptz) and (d.state is null or d.state = 'discarded')
           and d.id not in (select h.id from held h) returning d.id, d.body_id
       ), attempts as (
         delete from delivery.attempt_default a using over where a.delivery_id = over.id
       )
       delete from delivery.body_default b using over where b.id = over.body_id
         and not exists (select from delivery.delivery_default d where d.body_id = b.id
           and (d.state in ('queued', 'retrying', 'parked') or d.id in (select h.id from held h)))`,
      [`${oldest}T00:00:00Z`],
    );
  }

  /** What is older than the newest of an entity and was under way when that one was recorded has ended long since. */
  private async forgetNewest(now: number): Promise<void> {
    for (let last: Newest | undefined = { endpoint: 0, coalesce_key: '' }; last && !this.stopped;)
      [last] = await this.needs.db.query<Newest>(
        `with page as materialized (
           select n.endpoint, n.coalesce_key from delivery.newest n where (n.endpoint, n.coalesce_key) > ($1::integer, $2::text) order by 1, 2 limit ${PAGE}
         ), gone as (
           delete from delivery.newest n using page p where n.endpoint = p.endpoint and n.coalesce_key = p.coalesce_key and n.at < $3
         )
         select p.endpoint, p.coalesce_key from page p order by 1 desc, 2 desc limit 1`,
        [last.endpoint, last.coalesce_key, instant(now - DAY)],
      );
  }

  private async run(): Promise<void> {
    try {
      if (await this.needs.hold('retention')) await this.once();
      await this.estimate();
    } catch (error) {
      if (!this.stopped) this.needs.onFault(error as Error);
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.run(), EVERY_MS);
  }

  private async estimate(): Promise<void> {
    const rows = await this.needs.db.query<{ name: string; rows: number }>(
      "select relname as name, greatest(reltuples, 0)::bigint as rows from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'delivery' and relname in ('retry', 'queue')",
    );
    for (const { name, rows: count } of rows) this.needs.metrics.waiting.set({ where: name }, count);
  }
}

async function serverNow(db: Database): Promise<number> {
  const [row] = await db.query<{ now: number }>('select extract(epoch from now())::float8 * 1000 as now');
  return Math.floor(row!.now);
}
