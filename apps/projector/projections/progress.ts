import type { Database } from '#postgres';
import type { Checkpoint } from './checkpoint';

const EVERY_MS = 20;
/** After a fault. */
const AGAIN_MS = 500;
const CHANNEL = 'view_progress';

// Notifications go out in a transaction of their own, after the rows: commits that notify wait for each other.
const ANNOUNCE = `with lazy as (select set_config('synchronous_commit', 'off', true)),
  passed as (
    update projector.checkpoint c set position = p.position
      from lazy, unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[]) p (name, version, epoch, known, position)
      where c.name = p.name and c.version = p.version and c.epoch = p.epoch and c.position >= p.known and c.position < p.position
      returning c.name
  )
  select (select count(*) from passed) as passed, count(pg_notify('${CHANNEL}', payload)) from unnest($6::text[]) payload`;

/**
 * Tells how far the projections are: in this process at once, others by NOTIFY, all that moved within 20 ms in one statement. The same
 * statement moves the checkpoints of those for whom there was nothing to write.
 */
export class Progress {
  private readonly moved = new Map<string, Checkpoint>();
  private timer: NodeJS.Timeout | undefined;
  private sending: Promise<void> | undefined;
  private sentAt = 0;

  constructor(
    private readonly db: Database,
    private readonly tellHere: (channel: string, payload: string) => void,
    private readonly onFault: (error: Error) => void,
  ) {}

  /** A projection has come further, with rows that are committed or without any. */
  announce(checkpoint: Checkpoint): void {
    this.tellHere(CHANNEL, `${checkpoint.name}:${checkpoint.position}`);
    this.moved.set(checkpoint.name, checkpoint);
    if (this.timer ?? this.sending) return;
    this.timer = setTimeout(() => this.send(), Math.max(0, this.sentAt + EVERY_MS - performance.now()));
  }

  /** Sends what is left. */
  async stop(): Promise<void> {
    await this.sending;
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.moved.size > 0) this.send();
    await this.sending;
    clearTimeout(this.timer);
  }

  private send(): void {
    this.timer = undefined;
    this.sentAt = performance.now();
    const moved = [...this.moved.values()].map((checkpoint) => ({ checkpoint, position: checkpoint.position }));
    this.moved.clear();
    let pause = EVERY_MS;
    this.sending = this.write(moved)
      .catch((error: Error) => {
        this.onFault(error);
        pause = AGAIN_MS;
        // Who has nothing to write may have nothing more to tell for long, and others wait for what is untold.
        for (const { checkpoint } of moved)
          if (!this.moved.has(checkpoint.name)) this.moved.set(checkpoint.name, checkpoint);
      })
      .finally(() => {
        this.sending = undefined;
        if (this.moved.size > 0) this.timer = setTimeout(() => this.send(), pause);
      });
  }

  private async write(moved: readonly { checkpoint: Checkpoint; position: number }[]): Promise<void> {
    await this.db.query(ANNOUNCE, [
      moved.map(({ checkpoint }) => checkpoint.name),
      moved.map(({ checkpoint }) => checkpoint.version),
      moved.map(({ checkpoint }) => checkpoint.epoch),
      moved.map(({ checkpoint }) => checkpoint.known),
      moved.map(({ position }) => position),
      moved.map(({ checkpoint, position }) => `${checkpoint.name}:${position}`),
    ]);
  }
}
