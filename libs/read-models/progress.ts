import { OneAtATime } from '#kernel';
import type { Sql } from '#postgres';

const CHANNEL = 'view_progress';
/** The safety net for a lost notification; costs nothing while nobody waits. */
const LOOK_AGAIN_MS = 1_000;

/** Where wake-ups come from: `Wake` of the platform. */
export interface Wakes {
  on(channel: string, hear: (payload: string) => void): () => void;
}

interface Waiter {
  readonly view: string;
  /** Whether what is waited for is there, now that the view has moved. */
  readonly seen: () => boolean;
  readonly done: (isThere: boolean) => void;
}

interface Wanted {
  readonly workspace: string;
  readonly id: string;
  readonly revision: number;
  isSeen: boolean;
}

/**
 * Knows how far each view is, from its announcements; any number of callers wait on one listener and no connection. Names are
 * those of the views: `posts`, `audit` …
 */
export class ViewProgress {
  private readonly positions = new Map<string, number>();
  private readonly waiters = new Set<Waiter>();
  private readonly wanted = new Map<string, Set<Wanted>>();
  /** By view. */
  private readonly looks = new Map<string, OneAtATime>();
  private net: NodeJS.Timeout | undefined;
  private isClosed = false;
  private readonly stopListening: () => void;

  constructor(
    private readonly sql: Sql,
    wakes: Wakes,
    private readonly onFault: (error: Error) => void = () => undefined,
  ) {
    this.stopListening = wakes.on(CHANNEL, (payload) => this.hear(payload));
  }

  /** The newest position a view is known to have passed. */
  position(view: string): number {
    return this.positions.get(view) ?? 0;
  }

  /** Resolves with true once `view` has passed `position`, with false when `timeoutMs` are over first. */
  reached(view: string, position: number, timeoutMs: number): Promise<boolean> {
    return this.wait(view, () => this.position(view) >= position, timeoutMs);
  }

  /** Resolves with true once the row of a thing is at `revision` or later, with false when `timeoutMs` are over first. */
  async revisionSeen(
    view: string,
    workspace: string,
    id: string,
    revision: number,
    timeoutMs: number,
  ): Promise<boolean> {
    const wanted: Wanted = { workspace, id, revision, isSeen: false };
    const ofView = this.wanted.get(view) ?? new Set<Wanted>();
    this.wanted.set(view, ofView.add(wanted));
    try {
      await this.look(view);
      return await this.wait(view, () => wanted.isSeen, timeoutMs);
    } finally {
      ofView.delete(wanted);
    }
  }

  /** Ends all waiting; from now on nobody waits. */
  close(): void {
    this.isClosed = true;
    this.stopListening();
    clearInterval(this.net);
    for (const { done } of this.waiters) done(false);
  }

  private hear(payload: string): void {
    const colon = payload.lastIndexOf(':');
    if (colon < 0) return this.begin();
    const view = payload.slice(0, colon);
    this.passed(view, Number(payload.slice(colon + 1)));
  }

  /** Something may have been missed, or undone: a server that crashed may have lost what a view had written last. */
  private begin(): void {
    this.positions.clear();
    this.reload();
  }

  /** A view is at least so far: it says so, or has shown something of that position. */
  passed(view: string, position: number): void {
    if (position <= this.position(view)) return;
    this.positions.set(view, position);
    this.moved(view);
  }

  private moved(view: string): void {
    this.settle(view);
    if (this.wanted.get(view)?.size) this.look(view).catch(this.onFault);
  }

  private settle(view: string): void {
    for (const waiter of this.waiters) if (waiter.view === view && waiter.seen()) waiter.done(true);
  }

  private wait(view: string, seen: () => boolean, timeoutMs: number): Promise<boolean> {
    if (seen() || this.isClosed) return Promise.resolve(seen());
    return new Promise((resolve) => {
      const timer = setTimeout(() => waiter.done(false), timeoutMs);
      const waiter: Waiter = {
        view,
        seen,
        done: (isThere) => {
          clearTimeout(timer);
          this.waiters.delete(waiter);
          if (this.waiters.size === 0) this.net = void clearInterval(this.net);
          resolve(isThere);
        },
      };
      this.waiters.add(waiter);
      if (this.net) return;
      this.net = setInterval(() => this.reload(), LOOK_AGAIN_MS);
      // Nothing may have happened since this process began to listen.
      if (!this.positions.has(view)) this.reload();
    });
  }

  /** Asks the database, for all views at once. */
  private reload(): void {
    this.sql
      .query<{ name: string; position: number }>(
        "select name, position from projector.checkpoint where status = 'current'",
      )
      .then((rows) => {
        for (const { name, position } of rows) {
          this.positions.set(name, Math.max(this.position(name), position));
          this.moved(name);
        }
      })
      .catch(this.onFault);
  }

  /** One query for all whose revision is waited for; the next begins when it is back, and covers whoever came meanwhile. */
  private look(view: string): Promise<void> {
    const looks = this.looks.get(view) ?? new OneAtATime(() => this.lookNow(view));
    this.looks.set(view, looks);
    return looks.run();
  }

  private async lookNow(view: string): Promise<void> {
    const wanted = [...(this.wanted.get(view) ?? [])].filter(({ isSeen }) => !isSeen);
    if (wanted.length === 0) return;
    const rows = await this.sql.query<{ n: number }>(
      `select k.n::int as n from unnest($1::text[], $2::text[], $3::int[]) with ordinality k (workspace, id, revision, n)
        join read.${view} t on t.workspace = k.workspace and t.id = k.id and t.revision >= k.revision`,
      [wanted.map(({ workspace }) => workspace), wanted.map(({ id }) => id), wanted.map(({ revision }) => revision)],
    );
    for (const { n } of rows) wanted[n - 1]!.isSeen = true;
    this.settle(view);
  }
}
