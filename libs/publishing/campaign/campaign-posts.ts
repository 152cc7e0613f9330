import type { PostOutcome } from './campaign.events';

/** Where a post stands in its campaign. */
export type Place =
  | {
      readonly in: true;
      /** A place was kept for it, and it is not known yet whether it was scheduled. */
      readonly reserved: boolean;
      /** Its newest outcome; null while a round is under way. */
      readonly settled: { readonly outcome: PostOutcome; readonly round: number } | null;
      /** The newest round that is known to have begun; without it the first. */
      readonly round?: number;
    }
  /** Cancelled: it never comes back. */
  | { readonly in: false };

/** The posts of a campaign and their counts. Immutable: a change copies one bucket of 256, so that folding a long stream stays cheap. */
export interface CampaignPosts {
  readonly buckets: readonly Readonly<Record<string, Place>>[];
  readonly total: number;
  readonly settled: number;
  readonly succeeded: number;
}

const BUCKETS = 256;

export const noPosts: CampaignPosts = {
  buckets: Array.from({ length: BUCKETS }, () => ({})),
  total: 0,
  settled: 0,
  succeeded: 0,
};

/** Where a post stands in its campaign; undefined for one that the campaign has never heard of. */
export const placeOf = (posts: CampaignPosts, postId: string): Place | undefined => {
  const bucket = posts.buckets[bucketOf(postId)]!;
  return Object.hasOwn(bucket, postId) ? bucket[postId] : undefined;
};

/** The same posts with `postId` at another place, or (undefined) without a trace of it. */
export function withPlace(posts: CampaignPosts, postId: string, place: Place | undefined): CampaignPosts {
  const number = bucketOf(postId);
  const before = placeOf(posts, postId);
  const { [postId]: _, ...others } = posts.buckets[number]!;
  const bucket = place ? { ...others, [postId]: place } : others;
  const change = (counts: (place: Place | undefined) => boolean) => Number(counts(place)) - Number(counts(before));
  return {
    buckets: posts.buckets.with(number, bucket),
    total: posts.total + change((it) => it?.in === true),
    settled: posts.settled + change((it) => it?.in === true && it.settled !== null),
    succeeded: posts.succeeded + change((it) => it?.in === true && it.settled?.outcome === 'published'),
  };
}

/** FNV-1a. */
function bucketOf(postId: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < postId.length; index++) hash = Math.imul(hash ^ postId.charCodeAt(index), 0x01000193);
  return (hash >>> 0) % BUCKETS;
}
