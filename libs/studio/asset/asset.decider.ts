import { decider, type Command } from '#kernel';
import type { AssetEvent } from './asset.events';

interface Placement {
  readonly assetId: string;
  readonly clientId: string;
  readonly folder: string;
  readonly campaignId: string | null;
}

export type AssetCommand = Command<'OrganizeAsset', Placement> | Command<'DeliverAsset', Placement>;

/** Comes into being with its first command, and may be placed again and again. */
export type Asset = { readonly status: 'absent' } | ({ readonly status: 'organized' | 'delivered' } & Placement);

export const assetDecider = decider<AssetCommand, AssetEvent, Asset>({
  initial: { status: 'absent' },
  decide: {
    OrganizeAsset: ({ assetId, clientId, folder, campaignId }) => [
      { type: 'AssetOrganized', data: { assetId, clientId, folder, campaignId } },
    ],
    DeliverAsset: ({ assetId, clientId, folder, campaignId }) => [
      { type: 'AssetDelivered', data: { assetId, clientId, folder, campaignId } },
    ],
  },
  evolve: {
    AssetOrganized: (_, data) => ({ status: 'organized', ...data }),
    AssetDelivered: (_, data) => ({ status: 'delivered', ...data }),
  },
});
