import { operationAggregate, type ExistingOperation, type OperationError, type OperationKind } from '#studio';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

/** An operation as `GET /operations/:id` answers: what it gave only once it has completed, the error only once it has failed. */
export interface OperationView {
  readonly id: string;
  readonly kind: OperationKind;
  readonly region: string | null;
  readonly campaignId: string | null;
  readonly status: ExistingOperation['status'];
  readonly total: number | null;
  readonly done: number;
  readonly failed: number;
  readonly url?: string;
  readonly contentId?: string;
  readonly contentIds?: readonly string[];
  readonly assets?: readonly string[];
  readonly error?: OperationError;
}

export const presentOperation = ({
  operationId,
  kind,
  region,
  campaignId,
  status,
  total,
  done,
  failed,
  result,
  error,
}: ExistingOperation): OperationView => ({
  id: operationId,
  kind,
  region,
  campaignId,
  status,
  total,
  done,
  failed,
  ...(result?.url != null && { url: result.url }),
  ...(result?.contentId != null && { contentId: result.contentId }),
  ...(result?.contentIds != null && { contentIds: result.contentIds }),
  ...(result?.assets != null && { assets: result.assets }),
  ...(error && { error }),
});

export const operationsView: KeyedView<ExistingOperation, OperationView> = viewOf(operationAggregate, isThere, {
  name: 'operations',
  shape: 1,
  columns: {
    kind: { type: 'text', of: ({ kind }) => kind },
    status: { type: 'text', of: ({ status }) => status },
    region: { type: 'text', of: ({ region }) => region },
    campaign_id: { type: 'text', of: ({ campaignId }) => campaignId },
  },
  filters: {
    kind: { column: 'kind', how: 'is' },
    status: { column: 'status', how: 'is' },
    region: { column: 'region', how: 'is' },
    campaignId: { column: 'campaign_id', how: 'is' },
  },
  present: presentOperation,
});
