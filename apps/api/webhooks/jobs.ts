import { Inject, Injectable } from '@nestjs/common';
import { ENGINES, type Engines } from '#platform';

/** A job that the delivery service has yet to hear of. */
interface PendingJob {
  readonly status: 'running';
  readonly total: 0;
  readonly done: 0;
  readonly error?: undefined;
}

const CAPACITY = 1_000;

/** Jobs that were asked for: the delivery service hears of them a moment later, and nobody should meet a 404 in between. */
@Injectable()
export class Jobs {
  private readonly asked = new Set<string>();

  constructor(@Inject(ENGINES) private readonly engines: Engines) {}

  requested(workspace: string, jobId: string): void {
    this.asked.add(`${workspace}\n${jobId}`);
    if (this.asked.size > CAPACITY) this.asked.delete(this.asked.values().next().value!);
  }

  /** The job as far as the log knows of it; undefined when nobody asked for it. */
  async pending(workspace: string, jobId: string): Promise<PendingJob | undefined> {
    if (!this.asked.has(`${workspace}\n${jobId}`) && !(await this.isInAudit(workspace, jobId))) return undefined;
    return { status: 'running', total: 0, done: 0 };
  }

  /** Another process may have taken the request. */
  private async isInAudit(workspace: string, jobId: string): Promise<boolean> {
    const found = await this.engines.db
      .inWorkspace(workspace)
      .query(
        "select 1 from read.audit where workspace = $1 and action = 'ReplayRequested' and data::json ->> 'jobId' = $2 limit 1",
        [workspace, jobId],
      );
    return found.length > 0;
  }
}
