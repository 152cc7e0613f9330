import type { EventSchemas, Message } from '#kernel';

interface Placement {
  readonly assetId: string;
  readonly clientId: string;
  readonly folder: string;
  readonly campaignId: string | null;
}

export type AssetEvent = Message<'AssetOrganized', Placement> | Message<'AssetDelivered', Placement>;

export const assetEvents: EventSchemas<AssetEvent> = {
  AssetOrganized: { version: 1 },
  AssetDelivered: { version: 1 },
};
