import { asBefore, byActor, type EventSchemas, type Instant, type Message, type Personal } from '#kernel';

export interface Content {
  readonly text: Personal;
  readonly mediaIds: readonly string[];
}

/** One account a post goes to. */
export interface Destination {
  readonly id: string;
  readonly accountId: string;
  readonly platform: string;
}

/** What every event about one destination says of it. */
interface OnDestination {
  readonly postId: string;
  readonly destinationId: string;
  readonly accountId: string;
  readonly platform: string;
}

/** How one destination stands when its post settles; in the order of the post's destinations. */
export interface SettledDestination {
  readonly destinationId: string;
  readonly accountId: string;
  readonly platform: string;
  readonly ok: boolean;
  /** Only when ok. */
  readonly platformPostId?: string;
  /** Only when ok. */
  readonly url?: string;
  /** Only when not ok: a sentence. */
  readonly error?: string;
  /** Only when not ok. */
  readonly errorCode?: string;
  /** False for one whose outcome is of an earlier round. */
  readonly thisRound: boolean;
}

/** A post settled: every destination has its final outcome of this round. The counts are those of the whole post. */
export interface Settlement {
  readonly postId: string;
  readonly campaignId: string | null;
  readonly published: number;
  readonly failed: number;
  readonly total: number;
  /** From 1; each retry begins the next. */
  readonly round: number;
  readonly outcomes: readonly SettledDestination[];
}

export type PostEvent =
  | Message<
      'PostScheduled',
      {
        readonly postId: string;
        readonly profileId: string;
        readonly content: Content;
        readonly destinations: readonly Destination[];
        /** The time of the call when none was asked for. */
        readonly scheduledAt: Instant;
        readonly campaignId: string | null;
      }
    >
  | Message<
      'PostRescheduled',
      {
        readonly postId: string;
        readonly profileId: string;
        readonly scheduledAt: Instant;
        readonly previousScheduledAt: Instant;
        readonly platforms: readonly string[];
      }
    >
  | Message<
      'PostCancelled',
      {
        readonly postId: string;
        readonly profileId: string;
        readonly reason: Personal | null;
        readonly campaignId: string | null;
      }
    >
  | Message<'PostPublishingStarted', { readonly postId: string }>
  /** A publisher may now publish to this destination. `attempt` counts from 1 over all rounds. */
  | Message<'DestinationDue', OnDestination & { readonly attempt: number; readonly content: Content }>
  /** Those destinations that are still pending become due next, in an append of their own. */
  | Message<'DestinationsHeldOver', { readonly postId: string }>
  | Message<
      'DestinationPublished',
      OnDestination & { readonly attempt: number; readonly platformPostId: string; readonly url: string }
    >
  /** A retryable failure with attempts left in this round. */
  | Message<
      'DestinationAttemptFailed',
      OnDestination & {
        readonly attempt: number;
        readonly error: string;
        readonly errorCode: string;
        readonly retryAt: Instant;
      }
    >
  /** Failed for good in this round. `attempts` counts over all rounds. */
  | Message<
      'DestinationFailed',
      OnDestination & {
        readonly attempts: number;
        readonly error: string;
        readonly errorCode: string;
        readonly retryable: boolean;
      }
    >
  | Message<'PostPublished', Settlement>
  | Message<'PostPartiallyPublished', Settlement>
  | Message<'PostFailed', Settlement>
  | Message<
      'PostRetried',
      {
        readonly postId: string;
        readonly campaignId: string | null;
        readonly destinationIds: readonly string[];
        readonly round: number;
      }
    >;

export const postEvents: EventSchemas<PostEvent> = {
  PostScheduled: { version: 1, personal: { 'content.text': byActor } },
  PostRescheduled: { version: 1 },
  PostCancelled: { version: 1, personal: { reason: byActor } },
  PostPublishingStarted: { version: 1 },
  DestinationDue: { version: 1, personal: { 'content.text': asBefore } },
  DestinationsHeldOver: { version: 1 },
  DestinationPublished: { version: 1 },
  DestinationAttemptFailed: { version: 1 },
  DestinationFailed: { version: 1 },
  PostPublished: { version: 1 },
  PostPartiallyPublished: { version: 1 },
  PostFailed: { version: 1 },
  // 2: says its campaign, which waits for the new round.
  PostRetried: { version: 2, upcasters: [(data) => ({ ...data, campaignId: null })] },
};
