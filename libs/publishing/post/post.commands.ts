import { MINUTE, type Command, type Instant } from '#kernel';
import type { Content, Destination } from './post.events';

/** What a publisher reports of one attempt. */
export type Outcome =
  | { readonly ok: true; readonly platformPostId: string; readonly url: string }
  | { readonly ok: false; readonly errorCode: string; readonly error: string; readonly retryable: boolean };

export type PostCommand =
  | Command<
      'SchedulePost',
      {
        readonly postId: string;
        readonly profileId: string;
        readonly content: Content;
        readonly destinations: readonly Destination[];
        /** Null: due at once. */
        readonly scheduledAt: Instant | null;
        readonly campaignId: string | null;
      }
    >
  | Command<'ReschedulePost', { readonly scheduledAt: Instant }>
  | Command<'CancelPost', { readonly reason: string | null }>
  /** From the timer of the schedule, and for destinations that were held over; nothing happens when it no longer applies. */
  | Command<'MarkPostDue'>
  /** From the timer of a retry; `attempt` is the one that becomes due. Nothing happens when it no longer applies. */
  | Command<'MarkDestinationDue', { readonly destinationId: string; readonly attempt: number }>
  | Command<
      'ReportOutcome',
      {
        readonly destinationId: string;
        /** Null: the present one. */
        readonly attempt: number | null;
        readonly outcome: Outcome;
        /** Pauses before the second, third … attempt of a round, scaled already; one more attempt than pauses. */
        readonly retryDelaysMs: readonly number[];
      }
    >
  /** Empty: all that failed. */
  | Command<'RetryPost', { readonly destinationIds: readonly string[] }>;

/** API.md: three attempts a round, after one and five minutes, times RETRY_SCALE. */
export const PUBLISH_RETRY_DELAYS_MS: readonly number[] = [MINUTE, 5 * MINUTE];
