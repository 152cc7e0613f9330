import type { EventSchemas, Instant, Message } from '#kernel';

/** How a post of a campaign settled; only `published` counts as a success. */
export type PostOutcome = 'published' | 'partial' | 'failed';

export type CampaignEvent =
  | Message<'CampaignCreated', { readonly campaignId: string; readonly name: string; readonly profileId: string }>
  | Message<
      'CampaignPostJoined',
      {
        readonly campaignId: string;
        readonly postId: string;
        /** Until then the place is only reserved, for a post that is about to be scheduled; null when the post stands already. */
        readonly reservedUntil: Instant | null;
        /** The command id of the request that reserved it; null when nobody did, or none was told, as before version 2. */
        readonly request: string | null;
      }
    >
  /** One of several requests that reserved the place was refused: it is kept for the others. */
  | Message<'CampaignPostReleased', { readonly campaignId: string; readonly postId: string; readonly request: string }>
  /** The post whose place was reserved now stands. */
  | Message<'CampaignPostConfirmed', { readonly campaignId: string; readonly postId: string }>
  /** `cancelled`: the post was; `not_scheduled`: its reservation came to nothing. */
  | Message<
      'CampaignPostLeft',
      { readonly campaignId: string; readonly postId: string; readonly reason: 'cancelled' | 'not_scheduled' }
    >
  /** A post of the campaign is tried again: until its new round settles it has not. */
  | Message<'CampaignPostReopened', { readonly campaignId: string; readonly postId: string; readonly round: number }>
  /** A post settled, for the first time or again. */
  | Message<
      'CampaignProgressed',
      {
        readonly campaignId: string;
        readonly postId: string;
        readonly outcome: PostOutcome;
        /** The post's round, from 1. */
        readonly round: number;
        /** The settling event of the post. */
        readonly sourceEventId: string;
        readonly settled: number;
        readonly total: number;
        readonly succeeded: number;
      }
    >
  | Message<'CampaignClosed', { readonly campaignId: string }>
  /** Closed and every post settled: once for ever. */
  | Message<
      'CampaignCompleted',
      {
        readonly campaignId: string;
        readonly totalPosts: number;
        readonly successCount: number;
        readonly failedCount: number;
      }
    >;

export const campaignEvents: EventSchemas<CampaignEvent> = {
  CampaignCreated: { version: 1 },
  CampaignPostJoined: { version: 2, upcasters: [(data) => ({ ...data, request: null })] },
  CampaignPostReleased: { version: 1 },
  CampaignPostConfirmed: { version: 1 },
  CampaignPostLeft: { version: 1 },
  CampaignPostReopened: { version: 1 },
  CampaignProgressed: { version: 1 },
  CampaignClosed: { version: 1 },
  CampaignCompleted: { version: 1 },
};
