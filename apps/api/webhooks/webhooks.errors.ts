import { errorsOf } from '#kernel';

/** What the edge refuses about webhooks, because no aggregate can know it. */
export const webhookErrors = {
  TARGET_REFUSED: ['refused', 'Webhooks are not sent to this target.'],
  CONTRACT_UNKNOWN: ['refused', 'There is no such contract.'],
  EVENT_TYPE_UNKNOWN: ['refused', 'The contract has no such event type.'],
  EVENT_UNKNOWN: ['refused', 'There is no such event.'],
  DELIVERY_NOT_FOUND: ['not-found', 'There is no such delivery.'],
  DELIVERY_NOT_DISCARDABLE: ['conflict', 'What has been delivered cannot be discarded.'],
  JOB_NOT_FOUND: ['not-found', 'There is no such job.'],
} as const;

export const fail = errorsOf(webhookErrors);
