import type { Database } from '#postgres';
import type { Endpoint } from '../endpoints/endpoint';
import { intoLine } from '../ordered/into-line';

export interface LeavingNeeds {
  readonly db: Database;
  readonly endpoint: (no: number) => Endpoint | undefined;
  /** Gives up some of what waits for an endpoint that is closed; returns how much. */
  readonly purge: (endpoint: Endpoint) => Promise<number>;
  readonly onFault: (error: Error) => void;
}

/**
 * What waits for a retry and will have none: its endpoint is closed, and it is given up; or its endpoint has begun to ask for order, and it
 * goes into the line. Beside everything else, and some of each endpoint in turn: nobody waits for the long backlog of another.
 */
export class Leaving {
  private readonly backlogs = new Set<number>();
  private working = false;
  private stopped = false;

  constructor(private readonly needs: LeavingNeeds) {}

  stop(): void {
    this.stopped = true;
  }

  /** Whether what waits for the endpoint is no matter of time; then it begins to go. */
  takes(no: number): boolean {
    if (!this.leaves(no)) return false;
    this.backlogs.add(no);
    void this.work();
    return true;
  }

  private leaves(no: number): boolean {
    const endpoint = this.needs.endpoint(no);
    return endpoint !== undefined && (!endpoint.open || endpoint.row.config.ordered);
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    try {
      while (this.backlogs.size > 0)
        for (const no of this.backlogs) if (this.stopped || (await this.some(no)) === 0) this.backlogs.delete(no);
    } catch (error) {
      // The next look finds what is left.
      this.backlogs.clear();
      if (!this.stopped) this.needs.onFault(error as Error);
    }
    this.working = false;
  }

  /** As its endpoint is now. */
  private async some(no: number): Promise<number> {
    const endpoint = this.needs.endpoint(no);
    if (!endpoint || !this.leaves(no)) return 0;
    return endpoint.open ? intoLine(this.needs.db, no) : this.needs.purge(endpoint);
  }
}
