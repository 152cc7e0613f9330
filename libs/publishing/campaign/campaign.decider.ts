import { apply, decider } from '#kernel';
import { noPosts, placeOf, withPlace, type CampaignPosts, type Place, type Reservation } from './campaign-posts';
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

    JoinCampaign: ({ campaignId, postId, request, reservedUntil: asked }, campaign) => {
      ensure(campaign.status !== 'absent', 'CAMPAIGN_UNKNOWN', `There is no campaign ${campaignId}.`);
      const place = placeOf(campaign.posts, postId);
      const kept = reservationOf(place);
      if (place && !kept) return [];
      ensure(place !== undefined || campaign.status === 'open', 'CAMPAIGN_CLOSED');
      if (kept?.requests.includes(request) && asked <= kept.until) return [];
      // Clocks differ: none may shorten what another was promised.
      const reservedUntil = kept && kept.until > asked ? kept.until : asked;
      return [{ type: 'CampaignPostJoined', data: { campaignId, postId, reservedUntil, request } }];
    },

    LeaveCampaign: ({ campaignId, postId, request, at }, campaign) => {
      if (!isCounting(campaign)) return [];
      const kept = reservationOf(placeOf(campaign.posts, postId));
      if (!kept || (request === null ? at < kept.until : !kept.requests.includes(request))) return [];
      if (request !== null && kept.requests.length > 1)
        return [{ type: 'CampaignPostReleased', data: { campaignId, postId, request } }];
      return completing(campaign, [
        { type: 'CampaignPostLeft', data: { campaignId, postId, reason: 'not_scheduled' } },
      ]);
    },

    AddPost: ({ campaignId, postId }, campaign) => {
      if (!isCounting(campaign)) return [];
      const place = placeOf(campaign.posts, postId);
      if (!place) return [unreserved(campaignId, postId)];
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
        reserved: null,
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
    CampaignPostJoined: (campaign, { postId, reservedUntil: until, request }) => {
      const others =
        reservationOf(placeOf(found(campaign).posts, postId))?.requests.filter((it) => it !== request) ?? [];
      const reserved = until === null ? null : { requests: [...others, request], until };
      return withPost(campaign, postId, { in: true, reserved, settled: null });
    },
    CampaignPostReleased: (campaign, { postId, request }) => {
      const reserved = reservationOf(placeOf(found(campaign).posts, postId));
      if (!reserved) return campaign;
      const requests = reserved.requests.filter((it) => it !== request);
      return withPost(campaign, postId, { in: true, reserved: { ...reserved, requests }, settled: null });
    },
    CampaignPostConfirmed: (campaign, { postId }) =>
      withPost(campaign, postId, { in: true, reserved: null, settled: null }),
    CampaignPostLeft: (campaign, { postId, reason }) =>
      withPost(campaign, postId, reason === 'cancelled' ? { in: false } : undefined),
    CampaignPostReopened: (campaign, { postId, round }) =>
      withPost(campaign, postId, { in: true, reserved: null, settled: null, round }),
    CampaignProgressed: (campaign, { postId, outcome, round }) =>
      withPost(campaign, postId, { in: true, reserved: null, settled: { outcome, round } }),
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

/** What keeps the place of a post of which it is not known whether it was scheduled; undefined for any other. */
const reservationOf = (place: Place | undefined): Reservation | undefined =>
  (place?.in === true && place.reserved) || undefined;

/** The newest round that a campaign knows of a post. */
const roundOf = (place: Extract<Place, { in: true }>): number => Math.max(place.settled?.round ?? 1, place.round ?? 1);

/** Lets a post in of which more is known than that it joined. */
const joining = (campaignId: string, postId: string, place: Place | undefined): readonly CampaignEvent[] =>
  place ? [] : [unreserved(campaignId, postId)];

/** A post joined that stands already. */
const unreserved = (campaignId: string, postId: string): CampaignEvent => ({
  type: 'CampaignPostJoined',
  data: { campaignId, postId, reservedUntil: null, request: null },
});

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
