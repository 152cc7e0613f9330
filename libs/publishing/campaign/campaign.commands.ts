import { MINUTE, type Command, type Instant } from '#kernel';
import type { PostOutcome } from './campaign.events';

interface OfPost {
  /** Of the campaign: a post may name one that was never created. */
  readonly campaignId: string;
  readonly postId: string;
}

export type CampaignCommand =
  | Command<'CreateCampaign', { readonly campaignId: string; readonly name: string; readonly profileId: string }>
  | Command<'CloseCampaign'>
  /**
   * Before a post is scheduled: reserves its place until `reservedUntil`, so that the campaign cannot complete without it. A place that
   * another request of the same post reserved is kept for this one too, and so much longer.
   */
  | Command<'JoinCampaign', OfPost & { readonly request: string | null; readonly reservedUntil: Instant }>
  /**
   * The post that was to be scheduled was not: `request` gives back what it reserved, and keeps nothing that is reserved for another. Null
   * says that time went by: the place is free if all of it is over.
   */
  | Command<'LeaveCampaign', OfPost & { readonly request: string | null }>
  /** From the policy, once the post stands. Never refused: the place was asked for in time. */
  | Command<'AddPost', OfPost>
  /** From the policy, once the post was cancelled. */
  | Command<'RemovePost', OfPost>
  /** A round of a post has begun, from 2: from the api before it answers, and from the policy. */
  | Command<'ReopenPost', OfPost & { readonly round: number }>
  /** From the policy, once per settling event. */
  | Command<
      'RecordPostSettled',
      OfPost & { readonly outcome: PostOutcome; readonly round: number; readonly sourceEventId: string }
    >;

/** How long a place stays reserved for a post whose scheduling never answered. */
export const RESERVATION_MS = 10 * MINUTE;
