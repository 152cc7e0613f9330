import { entry, noEntries, withEntry, type Entries, type Instant } from '#kernel';
import type { PostOutcome } from './campaign.events';

/** A place that is kept for a post of which it is not known yet whether it was scheduled. */
export interface Reservation {
  /** Whom it is kept for: free again once each of them was refused. Null is one that did not say who it is. */
  readonly requests: readonly (string | null)[];
  /** Of a request that never gives it back the place is free then. */
  readonly until: Instant;
}

/** Where a post stands in its campaign. */
export type Place =
  | {
      readonly in: true;
      /** Null once it is known that the post was scheduled. */
      readonly reserved: Reservation | null;
      /** Its newest outcome; null while a round is under way. */
      readonly settled: { readonly outcome: PostOutcome; readonly round: number } | null;
      /** The newest round that is known to have begun; without it the first. */
      readonly round?: number;
    }
  /** Cancelled: it never comes back. */
  | { readonly in: false };

/** How many posts a campaign has, and what has become of them. */
export interface PostCounts {
  readonly total: number;
  readonly settled: number;
  readonly succeeded: number;
}

/** The posts of a campaign and their counts. */
export interface CampaignPosts extends PostCounts {
  readonly buckets: Entries<Place>;
}

export const noPosts: CampaignPosts = { buckets: noEntries, total: 0, settled: 0, succeeded: 0 };

/** Where a post stands in its campaign; undefined for one that the campaign has never heard of. */
export const placeOf = (posts: CampaignPosts, postId: string): Place | undefined => entry(posts.buckets, postId);

/** Posts of which all are counted and one is known: all that an event about that one asks for. */
export const onlyWith = (counts: PostCounts, postId: string, place: Place | undefined): CampaignPosts => ({
  ...counts,
  buckets: withEntry(noEntries as Entries<Place>, postId, place),
});

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
