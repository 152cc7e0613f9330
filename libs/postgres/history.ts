import type { ClientBase } from 'pg';
import { sqlStateOf } from './sql-state';

/** What this process remembers may never have happened on the server that is there now. */
export class OtherHistoryError extends Error {
  override readonly name = 'OtherHistoryError';

  constructor() {
    super('PostgreSQL goes on from an earlier moment than the one this process has seen');
  }
}

/** SQLSTATEs of a server whose functions may not be used, or that has none: such as keep their standbys to themselves. */
const KEPT_TO_ITSELF = ['0A000', '42501', '42883'];

/**
 * The timeline of the server's log: another one from the moment on when a standby takes over, which may have been behind, or when a backup
 * was brought back. An outage and a restart keep it. Empty where the server does not tell.
 */
async function timelineOf(client: ClientBase): Promise<string> {
  try {
    const { rows } = await client.query<{ timeline: string }>(
      'select left(pg_walfile_name(pg_current_wal_lsn()), 8) as timeline',
    );
    return rows[0]!.timeline;
  } catch (error) {
    if (KEPT_TO_ITSELF.includes(sqlStateOf(error))) return '';
    throw error;
  }
}

/** The one history that a process knows: that of the first connection that told of one. */
export class History {
  private timeline = '';

  constructor(private readonly onOther: () => void) {}

  /** Throws an OtherHistoryError, before anything is asked or written, on a connection to a server of another history. */
  async check(client: ClientBase): Promise<void> {
    const timeline = await timelineOf(client);
    this.timeline ||= timeline;
    if (timeline === this.timeline) return;
    this.onOther();
    throw new OtherHistoryError();
  }
}
