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
   * another request of the same post reserved is kept so much longer.
   */
  | Command<'JoinCampaign', OfPost & { readonly reservedUntil: Instant }>
  /** The post that was to be scheduled was not. Nothing happens when it has no place, or one that is kept for another request too. */
  | Command<'LeaveCampaign', OfPost>
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
