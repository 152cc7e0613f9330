import { deserialize, serialize } from 'node:v8';
import type { Database } from '#postgres';
import { parseStream, type StreamName } from '../port/event-store';
import type { Snapshot, Snapshots } from '../port/snapshots';

export interface PostgresSnapshotsOptions {
  /** Closes a state for the table and opens it again: the box of the master key. */
  readonly box: { encrypt(text: string): string; decrypt(box: string): string };
  readonly onFault: (error: Error) => void;
  /** What is offered is written after so many ms (1,000), all at once. */
  readonly delayMs?: number;
}

interface Offered extends Snapshot {
  readonly shape: string;
}

const FIND = 'select revision, position, state from log.snapshot where stream = $1 and shape = $2';

// In one order, so that two processes do not wait for each other in a circle. The last word wins: each is as good as the other.
const WRITE = `insert into log.snapshot (stream, workspace, shape, revision, position, state)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::text[]) s (stream) order by s.stream
  on conflict (stream) do update set shape = excluded.shape, revision = excluded.revision, position = excluded.position,
    state = excluded.state, taken_at = now()`;

/** Snapshots in a table of PostgreSQL, whichever engine holds the log. */
export class PostgresSnapshots implements Snapshots {
  private offered = new Map<StreamName, Offered>();
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: Database,
    private readonly options: PostgresSnapshotsOptions,
  ) {}

  async find(stream: StreamName, shape: string): Promise<Snapshot | undefined> {
    try {
      const [row] = await this.db.query<Omit<Snapshot, 'state'> & { state: string }>(FIND, [stream, shape]);
      return row && { ...row, state: this.opened(row.state) };
    } catch (error) {
      this.options.onFault(error as Error);
      return undefined;
    }
  }

  offer(stream: StreamName, shape: string, { state, revision, position }: Snapshot): void {
    this.offered.set(stream, { shape, state, revision, position });
    this.timer ??= setTimeout(() => void this.write(), this.options.delayMs ?? 1_000).unref();
  }

  /** Writes what is waiting. */
  write(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    return (this.writing = this.writing.then(() => this.writeOffered()).catch(this.options.onFault));
  }

  private async writeOffered(): Promise<void> {
    const rows = [...this.offered];
    this.offered = new Map();
    if (rows.length === 0) return;
    const column = <T>(pick: (offered: Offered, stream: StreamName) => T) => rows.map(([name, it]) => pick(it, name));
    const params = [
      column((_, stream) => stream),
      column((_, stream) => parseStream(stream).workspace),
      column(({ shape }) => shape),
      column(({ revision }) => revision),
      column(({ position }) => position),
      column(({ state }) => this.closed(state)),
    ];
    // The commit does not wait for the disk: what a crash takes is folded again.
    await this.db.tx((sql) => sql.query(WRITE, params), { lazy: true });
  }

  // Structured cloning keeps what JSON would lose: maps, sets, and what is undefined.

  private closed(state: unknown): string {
    return this.options.box.encrypt(serialize(state).toString('base64'));
  }

  private opened(box: string): unknown {
    return deserialize(Buffer.from(this.options.box.decrypt(box), 'base64'));
  }
}
