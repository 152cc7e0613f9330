import { campaignAggregate, type ExistingCampaign } from '#publishing';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

/** A campaign as `GET /campaigns/:id` answers. Counts are of posts; partial and failed ones count as failed. */
export interface CampaignView {
  readonly id: string;
  readonly name: string;
  readonly profileId: string;
  readonly status: ExistingCampaign['status'];
  readonly total: number;
  readonly settled: number;
  readonly succeeded: number;
  readonly failed: number;
}

export const presentCampaign = ({ campaignId, name, profileId, status, posts }: ExistingCampaign): CampaignView => ({
  id: campaignId,
  name,
  profileId,
  status,
  total: posts.total,
  settled: posts.settled,
  succeeded: posts.succeeded,
  failed: posts.settled - posts.succeeded,
});

export const campaignsView: KeyedView<ExistingCampaign, CampaignView> = viewOf(campaignAggregate, isThere, {
  name: 'campaigns',
  shape: 1,
  columns: {
    status: { type: 'text', of: ({ status }) => status },
    profile_id: { type: 'text', of: ({ profileId }) => profileId },
  },
  filters: { status: { column: 'status', how: 'is' }, profileId: { column: 'profile_id', how: 'is' } },
  present: presentCampaign,
});
