import { catchUpOnce, type CatchUpNeeds } from './catch-up';

const LOOK_MS = 1_000;
/** Many endpoints registered at once catch up side by side, but not all. */
const AT_ONCE = 4;

export interface CatchUpsNeeds extends CatchUpNeeds {
  /** Holds the name for this worker, unless another living one does. */
  readonly hold: (name: string) => Promise<boolean>;
  readonly letGo: (name: string) => Promise<void>;
  readonly onFault: (error: Error) => void;
}

/** Sees to it that every endpoint that has to catch up is caught up by exactly one process. */
export class CatchUps {
  private readonly under = new Set<number>();
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
    while (this.under.size > 0) await new Promise((again) => setTimeout(again, 5));
  }

  kill(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Finds what was left by a process that is gone. */
  private async look(): Promise<void> {
    try {
      const rows = await this.needs.db.query<{ no: number }>(
        "select no from delivery.endpoint where phase = 'catching_up' order by no limit 100",
      );
      for (const { no } of rows) if (!this.under.has(no)) this.wanted.add(no);
      this.fill();
    } catch (error) {
      this.needs.onFault(error as Error);
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.look(), LOOK_MS);
  }

  private fill(): void {
    for (const no of this.wanted) {
      if (this.stopped || this.under.size >= AT_ONCE) return;
      if (this.under.has(no)) continue;
      this.wanted.delete(no);
      this.under.add(no);
      void this.run(no).finally(() => {
        this.under.delete(no);
        this.fill();
      });
    }
  }

  private async run(no: number): Promise<void> {
    const { hold, letGo, onFault } = this.needs;
    const name = `catch-up:${no}`;
    try {
      if (!(await hold(name))) return;
      for (let more = true; more && !this.stopped;) {
        const began = performance.now();
        more = await catchUpOnce(this.needs, no);
        // A long history takes turns with the live flow.
        if (more) await new Promise((next) => setTimeout(next, Math.min(100, performance.now() - began)));
      }
      await letGo(name);
    } catch (error) {
      onFault(error as Error);
    }
  }
}
