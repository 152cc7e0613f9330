import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '#kernel';
import { planned, type Database } from '#postgres';
import { Rounds } from '../worker/rounds';

export interface JobsNeeds {
  readonly db: Database;
  readonly clock: Clock;
  readonly hold: (name: string) => Promise<boolean>;
  readonly letGo: (name: string) => Promise<void>;
  /** Deliveries of the endpoint wait now. */
  readonly onReplayed: (endpoint: number, ordered: boolean) => void;
  readonly onFault: (error: Error) => void;
  /** What has been sent is written down so soon (1,000 ms); what takes longer is on its way. */
  readonly momentMs?: number;
}

interface JobRow {
  readonly id: string;
  readonly workspace: string;
  readonly endpoint: number;
  readonly since: string;
  readonly until: string;
  readonly status_filter: string | null;
  readonly cursor: string | null;
  readonly open: boolean;
  readonly ordered: boolean;
}

const PAGE = 200;
/** Looked at for one page, however few of them are asked for. */
const STRETCH = 2_000;
/** Jobs that take turns. */
const AT_ONCE = 20;
const MOMENT_MS = 1_000;
const LOOK_AGAIN_MS = 20;

const JOB = `select j.*, e.enabled and e.phase <> 'deleted' as open, (e.config ->> 'ordered')::boolean as ordered
  from delivery.job j join delivery.endpoint e on e.no = j.endpoint where j.status = 'running'`;
/** Without those that failed in this round, however many: each gives its turn to another. */
const TURNS = `${JOB} and 'job:' || j.workspace || ':' || j.id <> all($1::text[]) order by j.created_at limit ${AT_ONCE}`;
const RANGE = 'd.endpoint = $1 and d.id >= delivery.id_at($2) and d.id < delivery.id_at($3)';
/** In the hands of a worker, and no outcome is written. */
const UNDER_WAY = planned(`select exists (select from delivery.lease l cross join lateral unnest(l.deliveries) h (id)
  join delivery.delivery d on d.id = h.id where ${RANGE} and delivery.status_of(d.id, d.state) = 'pending') as so`);
/** Without a filter: all but what is on its way anyhow. `status_of` is the API's own word. */
const ASKED = `case when $4::text is null then delivery.status_of(d.id, d.state) <> 'pending' else delivery.status_of(d.id, d.state) = $4 end`;
const COUNT = planned(`select count(*)::integer as total from delivery.delivery d where ${RANGE} and ${ASKED}`);
/** The next of a job in the order of their ids, and how far was looked for them. */
const NEXT = planned(`with looked as materialized (
    select d.id, d.state from delivery.delivery d where ${RANGE} and d.id > coalesce($5::uuid, '00000000-0000-0000-0000-000000000000') order by d.id limit ${STRETCH}
  ), page as (
    select d.id from looked d where ${ASKED} order by d.id limit ${PAGE}
  )
  select coalesce((select array_agg(p.id order by p.id) from page p), '{}') as ids, (select count(*) from looked) < ${STRETCH} as is_end,
    (select l.id from looked l order by l.id desc limit 1) as last`);

/**
 * Works bulk replays off, page by page, a page of each in turn: a short one does not wait for the end of a long one, nor any for one that
 * cannot go on. The cursor moves in the transaction of its page, so any process can go on.
 */
export class Jobs extends Rounds {
  constructor(private readonly needs: JobsNeeds) {
    super(needs.onFault);
  }

  protected override async round(): Promise<void> {
    const { db, hold, letGo, onFault, momentMs = MOMENT_MS } = this.needs;
    /** Since when. */
    const held = new Map<string, number>();
    const failed = new Set<string>();
    try {
      for (let isMore = true; isMore && !this.isStopped;) {
        isMore = false;
        let isEarly = true;
        for (const { workspace, id } of await db.query<JobRow>(TURNS, [[...failed]])) {
          const name = `job:${workspace}:${id}`;
          if (this.isStopped || !(held.has(name) || (await hold(name)))) continue;
          const since = held.get(name) ?? performance.now();
          held.set(name, since);
          try {
            const state = await this.page(workspace, id, performance.now() - since < momentMs);
            if (state === 'over' && held.delete(name)) await letGo(name);
            if (state !== 'over') isMore = true;
            if (state !== 'early') isEarly = false;
          } catch (error) {
            // It is tried again in the next round, and others have its place in this one.
            failed.add(name);
            isMore = true;
            onFault(error as Error);
          }
        }
        if (isMore && isEarly) await pause(LOOK_AGAIN_MS);
      }
    } finally {
      for (const name of held.keys()) await letGo(name);
    }
  }

  /** Replays one page of a job, the first when all that is asked for has an outcome, if `mayWait`: what has arrived is not left out. */
  private async page(workspace: string, id: string, mayWait: boolean): Promise<'more' | 'over' | 'early'> {
    const { db, clock, onReplayed } = this.needs;
    const result = await db.tx(async (sql) => {
      const [job] = await sql.query<JobRow>(`${JOB} and j.workspace = $1 and j.id = $2 for update of j`, [
        workspace,
        id,
      ]);
      if (!job) return undefined;
      const own = 'where workspace = $1 and id = $2';
      if (!job.open) {
        await sql.query(
          `update delivery.job set status = 'failed', error = 'The endpoint is disabled or deleted' ${own}`,
          [workspace, id],
        );
        return undefined;
      }
      // In the order of the index: planned by old statistics, each page would read and sort all that is left.
      await sql.query("select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)");
      const match = [job.endpoint, job.since, job.until, job.status_filter];
      if (job.cursor === null) {
        const [underWay] = mayWait ? await sql.query<{ so: boolean }>(UNDER_WAY, match.slice(0, 3)) : [];
        if (underWay?.so) return 'early';
        const [counted] = await sql.query<{ total: number }>(COUNT, match);
        await sql.query(`update delivery.job set total = $3 ${own}`, [workspace, id, counted!.total]);
      }
      const [next] = await sql.query<{ ids: string[]; is_end: boolean; last: string | null }>(NEXT, [
        ...match,
        job.cursor,
      ]);
      const { ids, is_end: isEnd, last } = next!;
      if (ids.length > 0) await sql.query('select delivery.replay($1, $2, $3)', [job.endpoint, ids, clock()]);
      const isFull = ids.length === PAGE;
      const isDone = isEnd && !isFull;
      await sql.query(
        `update delivery.job set done = done + $3, cursor = coalesce($4::uuid, cursor), total = case when $5::boolean then done + $3 else total end, status = case when $5 then 'done' else status end ${own}`,
        [workspace, id, ids.length, isFull ? ids.at(-1)! : last, isDone],
      );
      return { job, count: ids.length, isDone };
    });
    if (result === 'early') return result;
    if (result && result.count > 0) onReplayed(result.job.endpoint, result.job.ordered);
    return !result || result.isDone ? 'over' : 'more';
  }
}
