import type { Decider, Instant } from '#kernel';
import type { Outcome, PostCommand } from './post.commands';
import type { Content, Destination, PostEvent } from './post.events';

export type PostStatus = 'scheduled' | 'publishing' | 'published' | 'partial' | 'failed' | 'cancelled';
export type DestinationStatus = 'pending' | 'publishing' | 'published' | 'failed';

export interface DestinationState extends Destination {
  readonly status: DestinationStatus;
  /** Attempts that have become due, over all rounds: the number of the present one. */
  readonly attempts: number;
  /** How many of them belong to earlier rounds. */
  readonly earlierAttempts: number;
  /** When the next attempt becomes due, after a retryable failure; else null. */
  readonly retryAt: Instant | null;
  /** What was reported, by attempt: index 0 is attempt 1. */
  readonly outcomes: readonly Outcome[];
  /** The round of the final outcome; 0 before the first. */
  readonly settledInRound: number;
}

export interface ExistingPost {
  readonly status: PostStatus;
  readonly postId: string;
  readonly profileId: string;
  readonly content: Content;
  readonly scheduledAt: Instant;
  readonly campaignId: string | null;
  readonly destinations: readonly DestinationState[];
  /** From 1. */
  readonly round: number;
}

export type Post = { readonly status: 'absent' } | ExistingPost;

type Evolve = Decider<PostCommand, PostEvent, Post>['evolve'];

/** Every event but the first has a post before it; a log that says otherwise is broken. */
const existing = (post: Post): ExistingPost => {
  if (post.status === 'absent') throw new Error('An event of a post came before PostScheduled');
  return post;
};

const changed =
  <Data extends { readonly destinationId: string }>(
    change: (now: DestinationState, data: Data, post: ExistingPost) => Partial<DestinationState>,
  ) =>
  (state: Post, data: Data): Post => {
    const post = existing(state);
    return {
      ...post,
      destinations: post.destinations.map((it) =>
        it.id === data.destinationId ? { ...it, ...change(it, data, post) } : it,
      ),
    };
  };

const toStatus =
  (status: PostStatus) =>
  (post: Post): Post => ({ ...existing(post), status });

export const evolvePost: Evolve = {
  PostScheduled: (_, { postId, profileId, content, destinations, scheduledAt, campaignId }) => ({
    status: 'scheduled',
    postId,
    profileId,
    content,
    scheduledAt,
    campaignId,
    destinations: destinations.map(({ id, accountId, platform }) => ({
      id,
      accountId,
      platform,
      status: 'pending',
      attempts: 0,
      earlierAttempts: 0,
      retryAt: null,
      outcomes: [],
      settledInRound: 0,
    })),
    round: 1,
  }),
  PostRescheduled: (post, { scheduledAt }) => ({ ...existing(post), scheduledAt }),
  PostCancelled: toStatus('cancelled'),
  PostPublishingStarted: toStatus('publishing'),
  DestinationDue: changed((_, { attempt }) => ({ status: 'publishing', attempts: attempt, retryAt: null })),
  DestinationsHeldOver: (post) => post,
  DestinationPublished: changed((now, { platformPostId, url }, { round }) => ({
    status: 'published',
    outcomes: [...now.outcomes, { ok: true, platformPostId, url }],
    settledInRound: round,
  })),
  DestinationAttemptFailed: changed((now, { error, errorCode, retryAt }) => ({
    retryAt,
    outcomes: [...now.outcomes, { ok: false, error, errorCode, retryable: true }],
  })),
  DestinationFailed: changed((now, { error, errorCode, retryable }, { round }) => ({
    status: 'failed',
    outcomes: [...now.outcomes, { ok: false, error, errorCode, retryable }],
    settledInRound: round,
  })),
  PostPublished: toStatus('published'),
  PostPartiallyPublished: toStatus('partial'),
  PostFailed: toStatus('failed'),
  PostRetried: (state, { destinationIds, round }) => {
    const post = existing(state);
    const again = (it: DestinationState): DestinationState => ({
      ...it,
      status: 'pending',
      earlierAttempts: it.attempts,
    });
    return {
      ...post,
      status: 'publishing',
      round,
      destinations: post.destinations.map((it) => (destinationIds.includes(it.id) ? again(it) : it)),
    };
  },
};
