import { ensureOf, errorsOf } from '#kernel';

export const postErrors = {
  POST_ALREADY_EXISTS: ['conflict', 'A post with this id exists already.'],
  POST_NOT_FOUND: ['not-found', 'There is no such post.'],
  POST_DESTINATIONS_INVALID: ['invalid', 'A post goes to 1 to 50 destinations, to each account once.'],
  PUBLISH_TIME_PASSED: ['refused', 'The time to publish at has passed.'],
  POST_NOT_RESCHEDULABLE: ['conflict', 'Only a scheduled post can be rescheduled.'],
  POST_NOT_CANCELLABLE: ['conflict', 'Only a scheduled post can be cancelled.'],
  POST_NOT_DUE: ['conflict', 'The post, or its next attempt, is not due.'],
  POST_STILL_PUBLISHING: ['conflict', 'The post has not settled yet.'],
  DESTINATION_NOT_FOUND: ['not-found', 'The post has no such destination.'],
  DESTINATION_NOT_FAILED: ['conflict', 'Only a failed destination can be retried.'],
  NOTHING_TO_RETRY: ['conflict', 'No destination of the post has failed.'],
  OUTCOME_CONTRADICTED: ['conflict', 'Another outcome has been reported for this attempt.'],
} as const;

export const fail = errorsOf(postErrors);
export const ensure: ReturnType<typeof ensureOf<typeof postErrors>> = ensureOf(postErrors);
