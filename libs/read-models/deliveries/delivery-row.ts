import { publicEventId } from '#kernel';

export const DELIVERY_STATUSES = ['pending', 'delivered', 'retrying', 'parked', 'discarded'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** A delivery as lists show it (API.md, "Webhooks"). */
export interface DeliveryView {
  readonly id: string;
  readonly endpointId: string;
  /** Of the core event: the same in every contract, on the bus and in the audit log. */
  readonly eventId: string;
  readonly type: string;
  readonly sequence: number;
  readonly status: DeliveryStatus;
  /** Why it was discarded: `disabled`, `gone`, `deleted`, `discarded` (by hand), `superseded`, `expired`. */
  readonly reason?: string;
  readonly createdAt: string;
  readonly nextAttemptAt?: string;
}

export interface AttemptView {
  readonly number: number;
  readonly at: string;
  readonly durationMs: number;
  readonly statusCode?: number;
  /** `<stage>: <sentence>`. */
  readonly error?: string;
  /** The first 16 KiB. */
  readonly response?: string;
}

export interface DeliveryDetail extends DeliveryView {
  /** As it is stored: what is personal in it is sealed. */
  readonly body: string;
  readonly attempts: readonly AttemptView[];
}

export interface DeliveryRow {
  readonly id: string;
  readonly endpoint_id: string;
  readonly event_id: string;
  readonly type: string;
  readonly sequence: number;
  readonly state: 'queued' | 'retrying' | 'parked' | 'discarded' | null;
  readonly reason: string | null;
  readonly delivered: boolean;
  readonly created_at: string;
  readonly due_at: string | null;
}

/** A probe for each delivery: `exists` would let the planner read every attempt there is instead. */
export const WAS_DELIVERED =
  'coalesce((select true from delivery.attempt a where a.delivery_id = d.id and a.ok limit 1), false)';

/** Columns of a DeliveryRow; `d` is the delivery and `e` its endpoint. */
export const DELIVERY_COLUMNS = `d.id, e.id as endpoint_id, d.event_id, d.type, d.sequence, d.state, d.reason, uuid_extract_timestamp(d.id) as created_at,
  d.state is null and ${WAS_DELIVERED} as delivered,
  case when d.state in ('queued', 'retrying') then coalesce(
    (select r.due_at from delivery.retry r where r.delivery_id = d.id), (select q.due_at from delivery.queue q where q.delivery_id = d.id)
  ) end as due_at`;

/** Without a state it is delivered when an attempt was; before that it is pending, as is what waits for its first attempt. */
const statusOf = ({ state, delivered }: DeliveryRow): DeliveryStatus => {
  switch (state) {
    case null:
      return delivered ? 'delivered' : 'pending';
    case 'queued':
      return 'pending';
    case 'retrying':
    case 'parked':
    case 'discarded':
      return state;
  }
};

/** The delivery that a row holds, as the api shows it in lists. */
export const deliveryView = (row: DeliveryRow): DeliveryView => ({
  id: `dlv_${row.id}`,
  endpointId: row.endpoint_id,
  eventId: publicEventId(row.event_id),
  type: row.type,
  sequence: row.sequence,
  status: statusOf(row),
  ...(row.reason !== null && { reason: row.reason }),
  createdAt: row.created_at,
  ...(row.due_at !== null && { nextAttemptAt: row.due_at }),
});
