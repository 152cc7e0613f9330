import { errorsOf } from '#kernel';

/** What only a question about the past can meet. */
export const auditErrors = {
  ENTITY_NOT_FOUND: ['not-found', 'There was no such thing at that time.'],
} as const;

export const fail = errorsOf(auditErrors);
