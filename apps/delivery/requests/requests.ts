import type { Clock } from '#kernel';
import type { Database, Sql } from '#postgres';
import type { CoreMessage } from '#public-messages';
import { isOpen, type EndpointRow } from '../endpoints/endpoint';
import { endpointRow } from '../endpoints/endpoint-directory';
import { WAKE_CHANNEL } from '../worker/wake-channel';

export interface RequestNeeds {
  readonly db: Database;
  readonly clock: Clock;
}

/** What has to be woken after a request. */
export type Effect =
  | { readonly wake: 'retry' | 'requeue'; readonly endpoint: number }
  /** The other processes have been told. */
  | { readonly wake: 'discard'; readonly payload: string }
  | { readonly wake: 'job' }
  | undefined;

type Fulfil = (sql: Sql, endpoint: EndpointRow, message: CoreMessage, now: string) => Promise<Effect>;

/** What people ask for by the API, by its type: it comes over the log, so it is in the audit log and is done once. */
export const REQUESTS: ReadonlyMap<string, Fulfil> = new Map([
  ['webhook.delivery_replay_requested', replayOne],
  ['webhook.delivery_discarded', discard],
  ['webhook.replay_requested', startJob],
]);

/** Does what one message asks for, once. An endpoint or delivery that is not there, or closed, makes it a request for nothing. */
export function fulfil({ db, clock }: RequestNeeds, message: CoreMessage): Promise<Effect> {
  return db.tx(async (sql) => {
    const fresh = await sql.query(
      'insert into delivery.inbox (position, index, created_at) values ($1, $2, $3) on conflict do nothing returning 1',
      [message.position, message.index, message.createdAt],
    );
    if (fresh.length === 0) return undefined;
    const { endpointId } = JSON.parse(message.dataJson) as { endpointId: string };
    const endpoint = await endpointRow(sql, message.workspace, endpointId);
    return endpoint && REQUESTS.get(message.type)!(sql, endpoint, message, clock());
  });
}

/** The delivery that a request is about. */
const deliveryIn = ({ dataJson }: CoreMessage): string =>
  (JSON.parse(dataJson) as { deliveryId: string }).deliveryId.slice('dlv_'.length);

async function replayOne(sql: Sql, endpoint: EndpointRow, message: CoreMessage, now: string): Promise<Effect> {
  if (!isOpen(endpoint)) return undefined;
  await sql.query('select delivery.replay($1, array[$2::uuid], $3)', [endpoint.no, deliveryIn(message), now]);
  return { wake: endpoint.config.ordered ? 'requeue' : 'retry', endpoint: endpoint.no };
}

async function discard(sql: Sql, { no }: EndpointRow, message: CoreMessage, now: string): Promise<Effect> {
  const delivery = deliveryIn(message);
  const [row] = await sql.query<{ done: boolean }>('select delivery.discard($1, $2, $3) as done', [no, delivery, now]);
  if (!row!.done) return undefined;
  // Whoever has it in memory is told by the very commit: a process that dies right after it has told them.
  const payload = `discard:${no}:${delivery}`;
  await sql.query('select pg_notify($1, $2)', [WAKE_CHANNEL, payload]);
  return { wake: 'discard', payload };
}

/** A job's row outlives the process that works on it. */
async function startJob(
  sql: Sql,
  endpoint: EndpointRow,
  { workspace, dataJson, createdAt }: CoreMessage,
): Promise<Effect> {
  const { jobId, since, until, status } = JSON.parse(dataJson) as {
    jobId: string;
    since: string;
    until: string | null;
    status: string | null;
  };
  await sql.query(
    `insert into delivery.job (id, workspace, endpoint, since, until, status_filter) values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
    [jobId, workspace, endpoint.no, since, until ?? createdAt, status],
  );
  return { wake: 'job' };
}
