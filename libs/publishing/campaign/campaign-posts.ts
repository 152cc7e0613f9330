import { entry, noEntries, withEntry, type Entries, type Instant } from '#kernel';
import type { PostOutcome } from './campaign.events';

/** Where a post stands in its campaign. */
export type Place =
  | {
      readonly in: true;
      /** A place was kept for it, and it is not known yet whether it was scheduled. */
      readonly reserved: boolean;
      /** Kept for several requests: no refusal of one gives it up, only this time does. */
      readonly until?: Instant;
      /** Its newest outcome; null while a round is under way. */
      readonly settled: { readonly outcome: PostOutcome; readonly round: number } | null;
      /** The newest round that is known to have begun; without it the first. */
      readonly round?: number;
    }
  /** Cancelled: it never comes back. */
  | { readonly in: false };

/** The posts of a campaign and their counts. */
export interface CampaignPosts {
  readonly buckets: Entries<Place>;
  readonly total: number;
  readonly settled: number;
  readonly succeeded: number;
}

export const noPosts: CampaignPosts = { buckets: noEntries, total: 0, settled: 0, succeeded: 0 };

/** Where a post stands in its campaign; undefined for one that the campaign has never heard of. */
export const placeOf = (posts: CampaignPosts, postId: string): Place | undefined => entry(posts.buckets, postId);

/** The same posts with `postId` at another place, or (undefined) without a trace of it. */
export function withPlace(posts: CampaignPosts, postId: string, place: Place | undefined): CampaignPosts {
  const before = placeOf(posts, postId);
  const change = (counts: (place: Place | undefined) => boolean) => Number(counts(place)) - Number(counts(before));
  return {
    buckets: withEntry(posts.buckets, postId, place),
    total: posts.total + change((it) => it?.in === true),
    settled: posts.settled + change((it) => it?.in === true && it.settled !== null),
    succeeded: posts.succeeded + change((it) => it?.in === true && it.settled?.outcome === 'published'),
  };
}
