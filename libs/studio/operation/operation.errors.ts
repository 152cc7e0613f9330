import { ensureOf, errorsOf } from '#kernel';

export const operationErrors = {
  OPERATION_ALREADY_EXISTS: ['conflict', 'An operation with this id exists already.'],
  OPERATION_NOT_FOUND: ['not-found', 'There is no such operation.'],
  OPERATION_INCOMPLETE: ['invalid', 'An operation of this kind needs more to begin with.'],
  OPERATION_RESULT_INCOMPLETE: ['invalid', 'An operation of this kind needs more to complete with.'],
  OPERATION_NOT_RUNNING: ['conflict', 'The operation has ended.'],
  OPERATION_TOTAL_UNKNOWN: ['conflict', 'The operation began without a total, so it has no progress.'],
  PROGRESS_EXCEEDS_TOTAL: ['conflict', 'More is done and failed than the operation has in total.'],
  PROGRESS_WENT_BACK: ['conflict', 'The operation has been further already.'],
} as const;

export const fail = errorsOf(operationErrors);
export const ensure: ReturnType<typeof ensureOf<typeof operationErrors>> = ensureOf(operationErrors);
