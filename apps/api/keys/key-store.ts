import { Recent } from '#kernel';
import type { Engines } from '#platform';
import type { Caller } from '../http/caller';
import { effective } from '../http/scopes';

interface Row {
  readonly workspace: string;
  readonly id: string;
  readonly kind: 'service' | 'client';
  readonly scopes: string[];
  readonly expires_at: string | null;
  readonly hash: string;
}

interface Known {
  readonly caller: Caller | null;
  /** By `performance.now()`: after it the answer is asked for again. */
  readonly until: number;
}

/** The net below NOTIFY: a revoked key is refused after so long at the latest. */
const TTL_MS = 5_000;
const CAPACITY = 10_000;
const FLUSH_MS = 15_000;

/** Looks keys up by what the caller shows; in memory, until `keys_changed` is heard. */
export class KeyStore {
  private readonly known = new Recent<string, Known>(CAPACITY);
  private readonly asked = new Map<string, Promise<Caller | null>>();
  private readonly used = new Map<string, Caller>();
  private readonly stopListening: () => void;
  private readonly flushing: NodeJS.Timeout;
  private generation = 0;

  constructor(private readonly engines: Pick<Engines, 'db' | 'secrets' | 'wake' | 'log'>) {
    this.stopListening = engines.wake.on('keys_changed', () => this.forget());
    this.flushing = setInterval(() => void this.flush(), FLUSH_MS).unref();
  }

  /** The caller of a key, at once when it is in memory; undefined: ask `find`. */
  cached(text: string): Caller | null | undefined {
    const known = this.known.get(text);
    if (!known || known.until < performance.now()) return undefined;
    if (known.caller) this.used.set(text, known.caller);
    return known.caller;
  }

  /** The caller of a key, or null when no living key has this text. One query for all who ask at the same moment. */
  find(text: string): Promise<Caller | null> {
    const others = this.asked.get(text);
    if (others) return others;
    const asked = this.read(text).finally(() => {
      // Since then all may have been forgotten, and another have asked.
      if (this.asked.get(text) === asked) this.asked.delete(text);
    });
    this.asked.set(text, asked);
    return asked;
  }

  /** A key was issued: this process forgets at once, the others as soon as they hear of it. */
  changed(): void {
    this.forget();
    this.engines.wake.send('keys_changed');
  }

  async close(): Promise<void> {
    clearInterval(this.flushing);
    this.stopListening();
    await this.flush();
  }

  private forget(): void {
    this.generation++;
    this.known.clear();
    this.asked.clear();
  }

  private async read(text: string): Promise<Caller | null> {
    const generation = this.generation;
    const row = await this.row(text);
    const caller = row
      ? { workspace: row.workspace, keyId: row.id, kind: row.kind, scopes: effective(row.scopes) }
      : null;
    // What was read before a change was heard of may be older than the change.
    if (generation === this.generation) this.remember(text, caller, row?.expires_at ?? null);
    if (caller) this.used.set(text, caller);
    return caller;
  }

  /** A key that was hashed under a former secret key is found by that, and hashed anew. */
  private async row(text: string): Promise<Row | undefined> {
    const { db, secrets } = this.engines;
    const marks = secrets.fingerprints(text);
    const [present] = marks;
    const [row] = await db.query<Row>(
      `select workspace, id, kind, scopes, expires_at, hash from api.key
       where hash = any ($1) and revoked_at is null and (expires_at is null or expires_at > now()) order by hash = $2 desc limit 1`,
      [marks, present],
    );
    if (row && row.hash !== present)
      await db.query('update api.key set hash = $3 where workspace = $1 and id = $2 and hash = $4', [
        row.workspace,
        row.id,
        present,
        row.hash,
      ]);
    return row;
  }

  private remember(text: string, caller: Caller | null, expiresAt: string | null): void {
    const left = expiresAt ? Date.parse(expiresAt) - Date.now() : Infinity;
    this.known.set(text, { caller, until: performance.now() + Math.min(TTL_MS, left) });
  }

  /** Writes down which keys were used; not to the second, so that no request pays for it. */
  async flush(): Promise<void> {
    if (this.used.size === 0) return;
    const callers = [...this.used.values()];
    this.used.clear();
    try {
      await this.engines.db.query(
        'update api.key set last_used_at = now() from unnest($1::text[], $2::text[]) as used (workspace, id) where key.workspace = used.workspace and key.id = used.id',
        [callers.map(({ workspace }) => workspace), callers.map(({ keyId }) => keyId)],
      );
    } catch (error) {
      this.engines.log.warn({ err: (error as Error).message }, 'the last use of keys was not written down');
    }
  }
}
