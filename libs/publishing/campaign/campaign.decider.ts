import { apply, decider, type Instant } from '#kernel';
import { noPosts, placeOf, withPlace, type CampaignPosts, type Place } from './campaign-posts';
import type { CampaignCommand } from './campaign.commands';
import { ensure, fail } from './campaign.errors';
import type { CampaignEvent } from './campaign.events';

export interface ExistingCampaign {
  readonly status: 'open' | 'closed' | 'completed';
  readonly campaignId: string;
  readonly name: string;
  readonly profileId: string;
  readonly posts: CampaignPosts;
}

export type Campaign = { readonly status: 'absent' } | ExistingCampaign;

/**
 * Commands that come from policies may arrive twice, late, and in any order; each says what it knows of a post, and
 * the newest knowledge wins: a post that left by cancellation never comes back, an older round never replaces a newer.
 */
export const campaignDecider = decider<CampaignCommand, CampaignEvent, Campaign>({
  initial: { status: 'absent' },
  decide: {
    CreateCampaign: ({ campaignId, name, profileId }, campaign) => {
      ensure(campaign.status === 'absent', 'CAMPAIGN_ALREADY_EXISTS');
      return [{ type: 'CampaignCreated', data: { campaignId, name, profileId } }];
    },

    CloseCampaign: (_, state) => {
      const campaign = found(state);
      if (campaign.status !== 'open') return [];
      return completing(campaign, [{ type: 'CampaignClosed', data: { campaignId: campaign.campaignId } }]);
    },

    JoinCampaign: ({ campaignId, postId, reservedUntil }, campaign) => {
      ensure(campaign.status !== 'absent', 'CAMPAIGN_UNKNOWN', `There is no campaign ${campaignId}.`);
      const place = placeOf(campaign.posts, postId);
      if (place && !isKeptShorter(place, reservedUntil)) return [];
      ensure(place !== undefined || campaign.status === 'open', 'CAMPAIGN_CLOSED');
      return [{ type: 'CampaignPostJoined', data: { campaignId, postId, reservedUntil } }];
    },

    LeaveCampaign: ({ campaignId, postId, at }, campaign) => {
      if (!isCounting(campaign)) return [];
      const place = placeOf(campaign.posts, postId);
      if (!place?.in || !place.reserved || (place.until !== undefined && at < place.until)) return [];
      return completing(campaign, [
        { type: 'CampaignPostLeft', data: { campaignId, postId, reason: 'not_scheduled' } },
      ]);
    },

    AddPost: ({ campaignId, postId }, campaign) => {
      if (!isCounting(campaign)) return [];
      const place = placeOf(campaign.posts, postId);
      if (!place) return [{ type: 'CampaignPostJoined', data: { campaignId, postId, reservedUntil: null } }];
      return place.in && place.reserved ? [{ type: 'CampaignPostConfirmed', data: { campaignId, postId } }] : [];
    },

    RemovePost: ({ campaignId, postId }, campaign) => {
      if (!isCounting(campaign) || placeOf(campaign.posts, postId)?.in === false) return [];
      return completing(campaign, [{ type: 'CampaignPostLeft', data: { campaignId, postId, reason: 'cancelled' } }]);
    },

    ReopenPost: ({ campaignId, postId, round }, campaign) => {
      if (!isCounting(campaign)) return [];
      const place = placeOf(campaign.posts, postId);
      if (place && (!place.in || roundOf(place) >= round)) return [];
      return [
        ...joining(campaignId, postId, place),
        { type: 'CampaignPostReopened', data: { campaignId, postId, round } },
      ];
    },

    RecordPostSettled: ({ campaignId, postId, outcome, round, sourceEventId }, campaign) => {
      if (!isCounting(campaign)) return [];
      const place = placeOf(campaign.posts, postId);
      if (place && (!place.in || place.settled?.round === round || roundOf(place) > round)) return [];
      const { total, settled, succeeded } = withPlace(campaign.posts, postId, {
        in: true,
        reserved: false,
        settled: { outcome, round },
      });
      return completing(campaign, [
        ...joining(campaignId, postId, place),
        {
          type: 'CampaignProgressed',
          data: { campaignId, postId, outcome, round, sourceEventId, settled, total, succeeded },
        },
      ]);
    },
  },
  evolve: {
    CampaignCreated: (_, { campaignId, name, profileId }) => ({
      status: 'open',
      campaignId,
      name,
      profileId,
      posts: noPosts,
    }),
    CampaignPostJoined: (campaign, { postId, reservedUntil }) =>
      withPost(campaign, postId, {
        in: true,
        reserved: reservedUntil !== null,
        settled: null,
        ...(reservedUntil !== null && placeOf(found(campaign).posts, postId) && { until: reservedUntil }),
      }),
    CampaignPostConfirmed: (campaign, { postId }) =>
      withPost(campaign, postId, { in: true, reserved: false, settled: null }),
    CampaignPostLeft: (campaign, { postId, reason }) =>
      withPost(campaign, postId, reason === 'cancelled' ? { in: false } : undefined),
    CampaignPostReopened: (campaign, { postId, round }) =>
      withPost(campaign, postId, { in: true, reserved: false, settled: null, round }),
    CampaignProgressed: (campaign, { postId, outcome, round }) =>
      withPost(campaign, postId, { in: true, reserved: false, settled: { outcome, round } }),
    CampaignClosed: (campaign) => ({ ...found(campaign), status: 'closed' }),
    CampaignCompleted: (campaign) => ({ ...found(campaign), status: 'completed' }),
  },
});

function found(campaign: Campaign): ExistingCampaign {
  if (campaign.status === 'absent') throw fail('CAMPAIGN_NOT_FOUND');
  return campaign;
}

/** A campaign that is complete has said its last word; one that never was has nothing to say. */
const isCounting = (campaign: Campaign): campaign is ExistingCampaign =>
  campaign.status === 'open' || campaign.status === 'closed';

/** Whether the place is reserved for another request, which may be dead by now, and not known to be kept until `time`. */
const isKeptShorter = (place: Place, time: Instant): boolean =>
  place.in && place.reserved && (place.until === undefined || place.until < time);

/** The newest round that a campaign knows of a post. */
const roundOf = (place: Extract<Place, { in: true }>): number => Math.max(place.settled?.round ?? 1, place.round ?? 1);

/** Lets a post in of which more is known than that it joined. */
const joining = (campaignId: string, postId: string, place: Place | undefined): readonly CampaignEvent[] =>
  place ? [] : [{ type: 'CampaignPostJoined', data: { campaignId, postId, reservedUntil: null } }];

const withPost = (state: Campaign, postId: string, place: Place | undefined): Campaign => {
  const campaign = found(state);
  return { ...campaign, posts: withPlace(campaign.posts, postId, place) };
};

/** The events, and the completion with them when they leave the campaign closed with every post settled. */
function completing(campaign: ExistingCampaign, events: readonly CampaignEvent[]): readonly CampaignEvent[] {
  const { status, campaignId, posts } = found(
    events.reduce<Campaign>((state, event) => apply(campaignDecider, state, event), campaign),
  );
  if (status !== 'closed' || posts.settled < posts.total) return events;
  const { total: totalPosts, succeeded: successCount } = posts;
  return [
    ...events,
    {
      type: 'CampaignCompleted',
      data: { campaignId, totalPosts, successCount, failedCount: totalPosts - successCount },
    },
  ];
}
