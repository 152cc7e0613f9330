import { setTimeout as pause } from 'node:timers/promises';
import { catchUpOnce, restAsLong, type CatchUpNeeds } from './catch-up';
import { catchUpTogether } from './catch-up-together';

const LOOK_MS = 1_000;
/** Many endpoints registered at once catch up side by side, but not all. */
const AT_ONCE = 4;
/** Where the store must read everything for each, so many go together. */
const TOGETHER = 1_000;

export interface CatchUpsNeeds extends CatchUpNeeds {
  /** Holds the name for this worker, unless another living one does. */
  readonly hold: (name: string) => Promise<boolean>;
  readonly letGo: (name: string) => Promise<void>;
  readonly onFault: (error: Error) => void;
}

/** Sees to it that every endpoint that has to catch up is caught up by exactly one process. */
export class CatchUps {
  private readonly under = new Set<number>();
  private groups = 0;
  private readonly wanted = new Set<number>();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(private readonly needs: CatchUpsNeeds) {}

  start(): void {
    void this.look();
  }

  /** An endpoint that this process has just written. */
  want(no: number): void {
    this.wanted.add(no);
    this.fill();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    while (this.under.size > 0) await pause(5);
  }

  kill(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Finds what was left by a process that is gone. */
  private async look(): Promise<void> {
    try {
      const rows = await this.needs.db.query<{ no: number }>(
        "select no from delivery.endpoint where phase = 'catching_up' order by no limit $1",
        [TOGETHER],
      );
      for (const { no } of rows) if (!this.under.has(no)) this.wanted.add(no);
      this.fill();
    } catch (error) {
      this.needs.onFault(error as Error);
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.look(), LOOK_MS);
  }

  private fill(): void {
    const size = this.needs.store.byWorkspace ? 1 : TOGETHER;
    while (!this.stopped && this.groups < AT_ONCE) {
      const group = this.next().slice(0, size);
      if (group.length === 0) return;
      for (const no of group) {
        this.wanted.delete(no);
        this.under.add(no);
      }
      this.groups++;
      void this.run(group).finally(() => {
        this.groups--;
        for (const no of group) this.under.delete(no);
        this.fill();
      });
    }
  }

  /** Those that wait, first of workspaces of which none is under way: one with a thousand holds up no other. */
  private next(): readonly number[] {
    const workspaceOf = (no: number) => this.needs.directory.get(no)?.row.workspace;
    const busy = new Set([...this.under].map(workspaceOf));
    const waiting = [...this.wanted].filter((no) => !this.under.has(no));
    const isFree = (no: number) => !busy.has(workspaceOf(no));
    return [...waiting.filter(isFree), ...waiting.filter((no) => !isFree(no))];
  }

  private async run(group: readonly number[]): Promise<void> {
    const { hold, letGo, store, onFault } = this.needs;
    try {
      const held: number[] = [];
      for (const no of group) if (await hold(nameOf(no))) held.push(no);
      if (store.byWorkspace) for (const no of held) await this.alone(no);
      else await catchUpTogether({ ...this.needs, isStopped: () => this.stopped }, held);
      for (const no of held) await letGo(nameOf(no));
    } catch (error) {
      onFault(error as Error);
    }
  }

  private async alone(no: number): Promise<void> {
    for (let more = true; more && !this.stopped;) {
      const began = performance.now();
      more = await catchUpOnce(this.needs, no);
      if (more) await restAsLong(began);
      if (more && this.isAwaited) {
        // It goes on behind those that wait, one of which may be new and have next to nothing before it.
        this.wanted.add(no);
        return;
      }
    }
  }

  /** Whether an endpoint waits for its turn. */
  private get isAwaited(): boolean {
    for (const no of this.wanted) if (!this.under.has(no)) return true;
    return false;
  }
}

const nameOf = (no: number): string => `catch-up:${no}`;
