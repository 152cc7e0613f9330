import type { Sql } from '#postgres';
import type { Caller } from '../http/caller';

/** API.md: requests a minute for a key of kind `client`. */
export const CLIENT_LIMIT = 60;
export const WINDOW_MS = 60_000;

export interface Allowance {
  readonly isAllowed: boolean;
  readonly remaining: number;
  /** Whole seconds until the window ends. */
  readonly resetSeconds: number;
}

interface Lease {
  /** Requests this process may still let through. */
  left: number;
  /** Requests nobody has taken yet, as last seen. */
  free: number;
  /** By `performance.now()`. */
  ends: number;
}

/**
 * Counts a key's requests for all api processes together. A process takes some at a time from the shared counter, the
 * fewer the less is left, so most requests need no query and few are stranded with a process that does not need them.
 */
export class RateLimit {
  private readonly leases = new Map<string, Lease>();
  private readonly taking = new Map<string, Promise<void>>();

  constructor(
    private readonly sql: Sql,
    private readonly limit = CLIENT_LIMIT,
  ) {}

  async take(caller: Caller): Promise<Allowance> {
    const name = `${caller.workspace}\n${caller.keyId}`;
    for (let tries = 0; ; tries++) {
      const lease = this.leases.get(name);
      const now = performance.now();
      if (lease && lease.ends > now && (lease.left > 0 || lease.free === 0)) {
        const isAllowed = lease.left > 0;
        if (isAllowed) lease.left--;
        return {
          isAllowed,
          remaining: lease.left + lease.free,
          resetSeconds: Math.max(1, Math.ceil((lease.ends - now) / 1_000)),
        };
      }
      if (tries > this.limit) throw new Error('The counter of requests gave nothing, neither a lease nor an end');
      const taking = this.taking.get(name) ?? this.lease(name, caller).finally(() => this.taking.delete(name));
      this.taking.set(name, taking);
      await taking;
    }
  }

  private async lease(name: string, { workspace, keyId }: Caller): Promise<void> {
    const [row] = await this.sql.query<{ taken: number; used: number; ms: number }>(TAKE, [
      workspace,
      keyId,
      this.limit,
      WINDOW_MS,
    ]);
    const { taken, used, ms } = row!;
    if (this.leases.size > 10_000) this.leases.clear();
    this.leases.set(name, { left: taken, free: Math.max(0, this.limit - used), ends: performance.now() + Number(ms) });
  }
}

/** The window that runs: one that begins only later was begun by a clock that has been set back since. */
const RUNS =
  "clock_timestamp() - r.window_start >= interval '0' and clock_timestamp() - r.window_start < $4::int * interval '1 ms'";

/** Takes an eighth of what is free, at least one, from the window that runs, or opens the next. */
const TAKE = `
  with before as (
    select case when ${RUNS} then used else 0 end as used
    from api.rate r where workspace = $1 and key_id = $2 for update
  ), want as (
    select least($3::int - coalesce((select used from before), 0), greatest(1, ceil(($3::int - coalesce((select used from before), 0)) / 8.0)::int)) as n
  ), now_used as (
    insert into api.rate as r (workspace, key_id, window_start, used)
    select $1, $2, clock_timestamp(), n from want
    on conflict (workspace, key_id) do update set
      used = case when ${RUNS} then least($3::int, r.used + excluded.used) else excluded.used end,
      window_start = case when ${RUNS} then r.window_start else excluded.window_start end
    returning used, window_start
  )
  select (select n from want) as taken, used, greatest(1, ceil(extract(epoch from window_start + $4::int * interval '1 ms' - clock_timestamp()) * 1000))::int as ms from now_used`;

/** The headers of the present IETF draft, and the three that most clients know. */
export const rateHeaders = ({ remaining, resetSeconds }: Allowance, limit = CLIENT_LIMIT): Record<string, string> => ({
  'ratelimit-policy': `"client";q=${limit};w=${WINDOW_MS / 1_000}`,
  ratelimit: `"client";r=${remaining};t=${resetSeconds}`,
  'ratelimit-limit': String(limit),
  'ratelimit-remaining': String(remaining),
  'ratelimit-reset': String(resetSeconds),
});
