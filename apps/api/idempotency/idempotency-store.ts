import { hash } from 'node:crypto';
import { DAY, derivedUuid, SECOND } from '#kernel';
import type { Engines } from '#platform';
import { contracts } from '#webhook-contracts';
import type { Reservation } from '../http/caller';
import { problem } from '../http/problem';

/** An answer as it was sent, to be sent again. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Reserved = { readonly reservation: Reservation } | { readonly answer: KeptAnswer };

interface Row {
  readonly fingerprint: string;
  readonly at: string;
  readonly epoch: number;
  readonly answer: string | null;
  readonly lease_is_over: boolean;
}

const KEPT_MS = DAY;
/** A holder renews its lease three times before it is taken for dead. */
const LEASE_MS = 6 * SECOND;
/** Also one that ends later than any does: the clock that gave it has been set back since. */
const LEASE_IS_OVER = `lease_until not between clock_timestamp() and clock_timestamp() + ${LEASE_MS} * interval '1 ms'`;
/** The older of a time of this process, in ms, and the server's: a process whose clock is ahead would take young keys from all. */
const olderOf = (ms: string) => `least(to_timestamp(${ms}::float8 / 1000), now())`;
/** Longer than any command takes: the test of an endpoint waits for its receiver as long as its contract does. */
const MAX_WAIT_MS = (Math.max(...Array.from(contracts.values(), ({ timeoutSeconds }) => timeoutSeconds)) + 10) * SECOND;
const SWEEP_MS = 10 * 60 * SECOND;
const SWEEP_BATCH = 2_000;

/** Keeps answers under Idempotency-Keys. The row is there before the effect: whoever makes it works, all others wait. */
export class IdempotencyStore {
  private readonly held = new Map<Reservation, NodeJS.Timeout>();
  private readonly settled = new Map<string, Set<() => void>>();
  /** By key: ends when the one who looks for all who wait here has found something. */
  private readonly watching = new Map<string, Promise<unknown>>();
  private readonly sweeping: NodeJS.Timeout;

  constructor(private readonly engines: Pick<Engines, 'db' | 'secrets' | 'clock' | 'log'>) {
    this.sweeping = setInterval(() => void this.sweep(), SWEEP_MS).unref();
  }

  /**
   * Takes the key for this request, or finds the answer it has. Waits while another works on it, and takes over when that
   * one died. Throws Problem IDEMPOTENCY_KEY_REUSED for another request, IDEMPOTENCY_KEY_IN_USE when the wait is too long.
   */
  async reserve(workspace: string, key: string, fingerprint: string): Promise<Reserved> {
    const at = Date.parse(this.engines.clock());
    const name = `${workspace}\n${key}`;
    const look = () => this.look(workspace, key, fingerprint, at);
    for (const deadline = performance.now() + MAX_WAIT_MS; performance.now() < deadline;) {
      const found = await look();
      if (found) return found;
      const watching = this.watching.get(name);
      if (watching) {
        await watching;
        continue;
      }
      const watch = this.watch(name, look, deadline).finally(() => this.watching.delete(name));
      this.watching.set(
        name,
        watch.catch(() => undefined),
      );
      const come = await watch;
      if (come) return come;
    }
    throw problem('IDEMPOTENCY_KEY_IN_USE', { headers: { 'retry-after': '1' } });
  }

  /** Looks again and again, for all who wait for the key here: hundreds that each looked would keep the database from all others. */
  private async watch(
    name: string,
    look: () => Promise<Reserved | undefined>,
    deadline: number,
  ): Promise<Reserved | undefined> {
    while (performance.now() < deadline) {
      await this.pause(name);
      const found = await look();
      if (found) return found;
    }
    return undefined;
  }

  /** The key for this request, or the answer that it has; undefined while another works on it. */
  private async look(workspace: string, key: string, fingerprint: string, at: number): Promise<Reserved | undefined> {
    if (await this.insert(workspace, key, fingerprint, at)) return this.hold(workspace, key, at, 1, false);
    const row = await this.row(workspace, key);
    if (!row) return this.look(workspace, key, fingerprint, at);
    if (row.fingerprint !== fingerprint) throw problem('IDEMPOTENCY_KEY_REUSED');
    if (row.answer !== null) return { answer: JSON.parse(this.engines.secrets.decrypt(row.answer)) as KeptAnswer };
    return row.lease_is_over && (await this.takeOver(workspace, key, row.epoch))
      ? this.hold(workspace, key, Date.parse(row.at), row.epoch + 1, true)
      : undefined;
  }

  /** Keeps the answer; it must be durable before it is sent. */
  async keep(reservation: Reservation, answer: KeptAnswer): Promise<void> {
    const { workspace, key, epoch } = reservation;
    try {
      await this.engines.db.query(
        'update api.idempotency set answer = $4 where workspace = $1 and key = $2 and epoch = $3',
        [workspace, key, epoch, this.engines.secrets.encrypt(JSON.stringify(answer))],
      );
    } finally {
      // Also when this fails: a lease that went on being renewed would lock the key for ever.
      this.release(reservation);
    }
  }

  /** The request failed on our side: the next try may begin at once, with the same time and so the same ids. */
  async giveBack(reservation: Reservation): Promise<void> {
    const { workspace, key, epoch } = reservation;
    this.release(reservation);
    await this.engines.db.query(
      'update api.idempotency set lease_until = clock_timestamp() where workspace = $1 and key = $2 and epoch = $3 and answer is null',
      [workspace, key, epoch],
    );
  }

  close(): void {
    clearInterval(this.sweeping);
    for (const renewing of this.held.values()) clearInterval(renewing);
  }

  /** False when the key has been used within its day, of which a request of the time `at` is the judge: then `row` has it. */
  private async insert(workspace: string, key: string, fingerprint: string, at: number): Promise<boolean> {
    const rows = await this.engines.db.query(
      `insert into api.idempotency as i (workspace, key, fingerprint, at, lease_until)
       values ($1, $2, $3, to_timestamp($4::float8 / 1000), clock_timestamp() + $5::int * interval '1 ms')
       on conflict (workspace, key) do update
         set fingerprint = excluded.fingerprint, at = excluded.at, epoch = 1, lease_until = excluded.lease_until, answer = null
         where i.at < ${olderOf('$4')} - $6 * interval '1 ms'
       returning 1`,
      [workspace, key, fingerprint, at, LEASE_MS, KEPT_MS],
    );
    return rows.length > 0;
  }

  private async row(workspace: string, key: string): Promise<Row | undefined> {
    const [row] = await this.engines.db.inWorkspace(workspace).query<Row>(
      `select fingerprint, at, epoch, answer, ${LEASE_IS_OVER} as lease_is_over
       from api.idempotency where workspace = $1 and key = $2`,
      [workspace, key],
    );
    return row;
  }

  private async takeOver(workspace: string, key: string, epoch: number): Promise<boolean> {
    const rows = await this.engines.db.query(
      `update api.idempotency set epoch = epoch + 1, lease_until = clock_timestamp() + $4::int * interval '1 ms'
       where workspace = $1 and key = $2 and epoch = $3 and answer is null and ${LEASE_IS_OVER} returning 1`,
      [workspace, key, epoch, LEASE_MS],
    );
    return rows.length > 0;
  }

  private hold(workspace: string, key: string, at: number, epoch: number, isRetaken: boolean): Reserved {
    // The time is part of it: after its 24 hours the same key is another command.
    const commandId = derivedUuid(`${workspace}\nidempotency\n${key}`, at, at);
    const reservation: Reservation = { workspace, key, at, epoch, commandId, isRetaken };
    this.held.set(reservation, setInterval(() => this.renew(reservation), LEASE_MS / 3).unref());
    return { reservation };
  }

  private renew({ workspace, key, epoch }: Reservation): void {
    this.engines.db
      .query(
        `update api.idempotency set lease_until = clock_timestamp() + $4::int * interval '1 ms' where workspace = $1 and key = $2 and epoch = $3 and answer is null`,
        [workspace, key, epoch, LEASE_MS],
      )
      .catch((error: Error) =>
        this.engines.log.warn({ err: error.message }, 'the lease of an idempotency key was not renewed'),
      );
  }

  private release(reservation: Reservation): void {
    clearInterval(this.held.get(reservation));
    this.held.delete(reservation);
    const name = `${reservation.workspace}\n${reservation.key}`;
    this.settled.get(name)?.forEach((wake) => wake());
  }

  /** Until this process settles the key, or another may have. */
  private pause(name: string): Promise<void> {
    return new Promise((wake) => {
      const waiters = this.settled.get(name) ?? new Set();
      this.settled.set(name, waiters.add(wake));
      setTimeout(() => {
        waiters.delete(wake);
        if (waiters.size === 0) this.settled.delete(name);
        wake();
      }, 50);
    });
  }

  private async sweep(): Promise<void> {
    const now = Date.parse(this.engines.clock());
    try {
      for (let gone = SWEEP_BATCH; gone === SWEEP_BATCH;) {
        const rows = await this.engines.db.query(
          `delete from api.idempotency where ctid = any (array(select ctid from api.idempotency where at < ${olderOf('$1')} - $2 * interval '1 ms' order by at limit ${SWEEP_BATCH})) returning 1`,
          [now, KEPT_MS],
        );
        gone = rows.length;
      }
    } catch (error) {
      this.engines.log.warn({ err: (error as Error).message }, 'old idempotency keys were not removed');
    }
  }
}

/** One mark for a request: method, path with query, and the body as a value, so that spelling it otherwise is no other request. */
export const requestFingerprint = (method: string, url: string, body: unknown): string =>
  hash('sha256', `${method} ${url}\n${canonical(body)}`);

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? '';
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(',')}}`;
}
