import { instant, isUuid, publicEventId, uuidIn } from '#kernel';
import { cutToSize, isFull, planned, type Workspaces } from '#postgres';
import { foreignCursor, type Page, type PageOptions } from '../keyed/cursor';
import {
  DELIVERY_COLUMNS,
  WAS_DELIVERED,
  deliveryView,
  type AttemptView,
  type DeliveryDetail,
  type DeliveryRow,
  type DeliveryStatus,
  type DeliveryView,
} from './delivery-row';

/** `from` inclusive, `to` exclusive, both on `createdAt`; `type` in the contract's own words. */
export interface DeliveryFilters {
  readonly endpointId?: string | undefined;
  readonly status?: DeliveryStatus | undefined;
  readonly type?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** What a subscriber should have received; the api signs it. */
export interface FeedItem {
  readonly sequence: number;
  /** The id in the body. */
  readonly id: string;
  readonly type: string;
  readonly createdAt: string;
  /** As it is stored: what is personal in it is sealed. */
  readonly body: string;
}

export interface ReplayJob {
  readonly id: string;
  readonly endpointId: string;
  readonly status: 'running' | 'done' | 'failed';
  readonly total: number;
  readonly done: number;
  readonly error?: string;
}

const FEED = `select id, sequence, message_id, type, uuid_extract_timestamp(id) as created_at, body, is_cut from ${cutToSize(
  `select d.*, b.body from (select * from delivery.delivery where endpoint = $1 and sequence > $2 order by sequence limit $3) d
    join delivery.own_body b on b.delivery_id = d.id order by d.sequence`,
  'octet_length(r.body)',
)} r order by sequence`;
const OF_ENDPOINT = 'from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint';
const THIS = 'where d.id = $1 and e.workspace = $2';

/** Reads the delivery service's tables. Nothing of another workspace is ever found. */
export class DeliveriesQuery {
  constructor(private readonly db: Workspaces) {}

  /** Newest first: a walk along each endpoint's own index, which the partitions by day cut short. */
  async list(workspace: string, filters: DeliveryFilters, { limit, cursor }: PageOptions): Promise<Page<DeliveryView>> {
    const params: unknown[] = [workspace, limit + 1];
    const add = (value: unknown): string => `$${params.push(value)}`;
    const where: string[] = [];
    if (cursor !== undefined) where.push(`d.id < ${add(idIn(cursor))}::uuid`);
    if (filters.from !== undefined) where.push(`d.id >= delivery.id_at(${add(filters.from)})`);
    if (filters.to !== undefined) where.push(`d.id < delivery.id_at(${add(filters.to)})`);
    if (filters.type !== undefined) where.push(`d.type = ${add(filters.type)}`);
    const endpoint = filters.endpointId === undefined ? '' : ` and e.id = ${add(filters.endpointId)}`;
    const text =
      filters.status === 'pending'
        ? pendingList(where, endpoint)
        : walk([...where, ...conditionOf(filters.status)], endpoint);
    const isRanged = filters.from !== undefined || filters.to !== undefined;
    const rows = await this.db.inWorkspace(workspace).query<DeliveryRow>(isRanged ? planned(text) : text, params);
    const page = rows.slice(0, limit);
    return { data: page.map(deliveryView), nextCursor: rows.length > limit ? cursorAt(page.at(-1)!.id) : null };
  }

  /** One delivery; undefined when there is none in this workspace. */
  async find(workspace: string, id: string): Promise<DeliveryView | undefined> {
    const uuid = uuidIn('dlv', id);
    if (!uuid) return undefined;
    const [row] = await this.db
      .inWorkspace(workspace)
      .query<DeliveryRow>(`select ${DELIVERY_COLUMNS} ${OF_ENDPOINT} ${THIS}`, [uuid, workspace]);
    return row && deliveryView(row);
  }

  /** The same with its body and every attempt, the newest hundred with what was answered. */
  async get(workspace: string, id: string): Promise<DeliveryDetail | undefined> {
    const uuid = uuidIn('dlv', id);
    if (!uuid) return undefined;
    // One statement: a status and the attempts that it follows from are of the same moment.
    const [row] = await this.db
      .inWorkspace(workspace)
      .query<DeliveryRow & { body: string | null; attempts: readonly AttemptRow[] }>(
        `select ${DELIVERY_COLUMNS}, o.body, coalesce(o.attempts, '[]') as attempts
       ${OF_ENDPOINT} left join lateral delivery.own_content(d.id) o on true ${THIS}`,
        [uuid, workspace],
      );
    return row && { ...deliveryView(row), body: row.body ?? '', attempts: row.attempts.map(attemptView) };
  }

  /** An endpoint's deliveries after a sequence number, in order; undefined when the workspace has no such endpoint. */
  async feed(
    workspace: string,
    endpointId: string,
    { after, limit }: { after: number; limit: number },
  ): Promise<Page<FeedItem> | undefined> {
    const [endpoint] = await this.db
      .inWorkspace(workspace)
      .query<{ no: number }>('select no from delivery.endpoint where workspace = $1 and id = $2', [
        workspace,
        endpointId,
      ]);
    if (!endpoint) return undefined;
    const rows = await this.db.inWorkspace(workspace).query<{
      id: string;
      sequence: number;
      message_id: string;
      type: string;
      created_at: string;
      body: string;
      is_cut: boolean;
    }>(FEED, [endpoint.no, after, limit + 1]);
    const data = rows.slice(0, limit).map(({ sequence, message_id, type, created_at, body }): FeedItem => ({
      sequence,
      id: publicEventId(message_id),
      type,
      createdAt: created_at,
      body,
    }));
    return { data, nextCursor: isFull(rows, limit + 1) ? String(data.at(-1)!.sequence) : null };
  }

  /** Whether the delivery service goes by what the log says of an endpoint up to `position`. */
  async knows(workspace: string, endpointId: string, position: number): Promise<boolean> {
    const rows = await this.db
      .inWorkspace(workspace)
      .query('select from delivery.endpoint where workspace = $1 and id = $2 and position >= $3', [
        workspace,
        endpointId,
        position,
      ]);
    return rows.length > 0;
  }

  /** Progress of a bulk replay; undefined until the delivery service has heard of it. */
  async job(workspace: string, id: string): Promise<ReplayJob | undefined> {
    const [row] = await this.db.inWorkspace(workspace).query<{
      id: string;
      endpoint_id: string;
      status: ReplayJob['status'];
      total: number;
      done: number;
      error: string | null;
    }>(
      `select j.id, e.id as endpoint_id, j.status, j.total, j.done, j.error from delivery.job j join delivery.endpoint e on e.no = j.endpoint
       where j.workspace = $1 and j.id = $2`,
      [workspace, id],
    );
    return (
      row && {
        id: row.id,
        endpointId: row.endpoint_id,
        status: row.status,
        total: row.total,
        done: row.done,
        ...(row.error !== null && { error: row.error }),
      }
    );
  }
}

interface AttemptRow {
  readonly at: string;
  readonly duration_ms: number;
  readonly status_code: number | null;
  readonly stage: string | null;
  readonly error: string | null;
  readonly response: string | null;
}

const attemptView = (
  { at, duration_ms, status_code, stage, error, response }: AttemptRow,
  index: number,
): AttemptView => ({
  number: index + 1,
  at: instant(at),
  durationMs: duration_ms,
  ...(status_code !== null && { statusCode: status_code }),
  ...(stage !== null && { error: `${stage}: ${error}` }),
  ...(response !== null && { response }),
});

/** The newest deliveries of the endpoint `e`, at most `limit` of them, by the ids that its indexes hold. */
const newestOf = (where: readonly string[], limit: string): string =>
  `select d.id from delivery.delivery d where ${['d.endpoint = e.no', ...where].join(' and ')} order by d.id desc limit ${limit}`;

/**
 * The newest of all endpoints of the workspace. Of thousands only those have a part in a page whose own newest is among the newest: no more than
 * the page has lines. So of each one delivery is looked at, and of those few a page each.
 */
const newestOfAll = (where: readonly string[], endpoint: string): string =>
  `select d.id from (
     select e.no from delivery.endpoint e cross join lateral (${newestOf(where, '1')}) d where e.workspace = $1${endpoint}
     order by d.id desc limit $2
   ) e cross join lateral (${newestOf(where, '$2')}) d`;

/** The page is found by the ids that its indexes hold; only then is looked at the deliveries themselves. */
const walk = (where: readonly string[], endpoint: string): string =>
  pageOf(`${newestOfAll(where, endpoint)} order by d.id desc limit $2`);

const pageOf = (ids: string): string =>
  `select ${DELIVERY_COLUMNS} from (${ids}) page join delivery.delivery d on d.id = page.id
   join delivery.endpoint e on e.no = d.endpoint order by d.id desc limit $2`;

/** Pending is what waits for room, by its index, and what is in a worker's hands, by the leases: never a walk through what is done. */
const pendingList = (where: readonly string[], endpoint: string): string =>
  `with held as materialized (select unnest(l.deliveries) as id from delivery.lease l), open as (
     ${newestOfAll(["d.state = 'queued'", ...where], endpoint)}
     union all
     select d.id from held h cross join lateral (select d.* from delivery.delivery d where d.id = h.id limit 1) d join delivery.endpoint e on e.no = d.endpoint
     where ${['e.workspace = $1', 'd.state is null', ...where].join(' and ')}${endpoint}
       and not exists (select from delivery.attempt a where a.delivery_id = d.id and a.ok)
   )
   ${pageOf('select id from open order by id desc limit $2')}`;

function conditionOf(status: Exclude<DeliveryStatus, 'pending'> | undefined): string[] {
  switch (status) {
    case undefined:
      return [];
    case 'delivered':
      return [`d.state is null and ${WAS_DELIVERED}`];
    case 'retrying':
    case 'parked':
    case 'discarded':
      return [`d.state = '${status}'`];
  }
}

/** The place in a list of deliveries after which the next page begins. */
export const cursorAt = (id: string): string => Buffer.from(`d${id}`).toString('base64url');

/** The delivery in a cursor of ours. Throws a DomainError VALIDATION_FAILED (invalid) on anything else. */
export function idIn(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString().slice(1);
  if (isUuid(id) && cursorAt(id) === cursor) return id;
  throw foreignCursor();
}
