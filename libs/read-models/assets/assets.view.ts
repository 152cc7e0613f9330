import { assetAggregate, type Asset } from '#studio';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

export type ExistingAsset = Exclude<Asset, { status: 'absent' }>;

/** An asset as `GET /assets/:id` answers. */
export interface AssetView {
  readonly id: string;
  readonly status: ExistingAsset['status'];
  readonly clientId: string;
  readonly folder: string;
  readonly campaignId: string | null;
}

export const presentAsset = ({ assetId, status, clientId, folder, campaignId }: ExistingAsset): AssetView => ({
  id: assetId,
  status,
  clientId,
  folder,
  campaignId,
});

export const assetsView: KeyedView<ExistingAsset, AssetView> = viewOf(assetAggregate, isThere, {
  name: 'assets',
  shape: 1,
  columns: {
    status: { type: 'text', of: ({ status }) => status },
    client_id: { type: 'text', of: ({ clientId }) => clientId },
    campaign_id: { type: 'text', of: ({ campaignId }) => campaignId },
  },
  filters: {
    status: { column: 'status', how: 'is' },
    clientId: { column: 'client_id', how: 'is' },
    campaignId: { column: 'campaign_id', how: 'is' },
  },
  present: presentAsset,
});
