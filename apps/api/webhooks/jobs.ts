import { Inject, Injectable } from '@nestjs/common';
import { eventsAfter } from '#event-store';
import { Recent } from '#kernel';
import { ENGINES, type Engines } from '#platform';

/** A job that the delivery service has yet to hear of. */
interface PendingJob {
  readonly status: 'running';
  readonly total: 0;
  readonly done: 0;
  readonly error?: undefined;
}

const CAPACITY = 1_000;
const BATCH = 500;
const REQUESTED = 'ReplayRequested';

/** Jobs that were asked for: the delivery service hears of them a moment later, and nobody should meet a 404 in between. */
@Injectable()
export class Jobs {
  private readonly asked = new Recent<string, true>(CAPACITY);

  constructor(@Inject(ENGINES) private readonly engines: Engines) {}

  requested(workspace: string, jobId: string): void {
    this.asked.set(`${workspace}\n${jobId}`, true);
  }

  /** The job as far as the log knows of it; undefined when nobody asked for it. */
  async pending(workspace: string, jobId: string): Promise<PendingJob | undefined> {
    if (!this.asked.get(`${workspace}\n${jobId}`) && !(await this.isInLog(workspace, jobId))) return undefined;
    return { status: 'running', total: 0, done: 0 };
  }

  /** Another process may have taken the request: it is in the audit log, or in the log beyond where that has got to. */
  private async isInLog(workspace: string, jobId: string): Promise<boolean> {
    // First how far: what the audit log takes in meanwhile is found in it.
    const [audit] = await this.engines.db.query<{ position: number }>(
      "select position from projector.checkpoint where name = 'audit' and status = 'current'",
    );
    if (await this.isInAudit(workspace, jobId)) return true;
    const beyond = eventsAfter(this.engines.store, workspace, { after: audit?.position ?? 0, batch: BATCH });
    for await (const { type, data } of beyond)
      if (type === REQUESTED && (data as { jobId?: string }).jobId === jobId) return true;
    return false;
  }

  private async isInAudit(workspace: string, jobId: string): Promise<boolean> {
    const found = await this.engines.db
      .inWorkspace(workspace)
      .query("select 1 from read.audit where workspace = $1 and action = $3 and data::json ->> 'jobId' = $2 limit 1", [
        workspace,
        jobId,
        REQUESTED,
      ]);
    return found.length > 0;
  }
}
