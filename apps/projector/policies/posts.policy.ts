import type { Instant } from '#kernel';
import type { Policy, Step } from './policy';

const due = (postId: string, dueAt: Instant): Step => ({
  set: { kind: 'post_due', name: postId, target: postId, dueAt, payload: { postId } },
});

const notDue = (postId: string): Step => ({ clear: { kind: 'post_due', name: postId } });

/** A post becomes due at its time, one whose time has passed at once; a destination is tried again when its pause is over. */
export const postsPolicy = {
  PostScheduled: ({ postId, scheduledAt }) => [due(postId, scheduledAt)],
  PostRescheduled: ({ postId, scheduledAt }) => [due(postId, scheduledAt)],
  PostCancelled: ({ postId }) => [notDue(postId)],
  PostPublishingStarted: ({ postId }) => [notDue(postId)],
  DestinationsHeldOver: ({ postId }, { at }) => [due(postId, at)],
  DestinationAttemptFailed: ({ postId, destinationId, attempt, retryAt }) => [
    {
      set: {
        kind: 'destination_due',
        name: `${postId}/${destinationId}`,
        target: postId,
        dueAt: retryAt,
        payload: { postId, destinationId, attempt: attempt + 1 },
      },
    },
  ],
} satisfies Policy;
