import { ensureOf, errorsOf } from '#kernel';

export const designErrors = {
  DESIGN_ALREADY_EXISTS: ['conflict', 'A design with this id exists already.'],
  DESIGN_NOT_FOUND: ['not-found', 'There is no such design.'],
  DESIGN_NOT_SUBMITTABLE: ['conflict', 'Only a draft, or a design whose revision was asked for, can be submitted.'],
  DESIGN_NOT_IN_REVIEW: ['conflict', 'The design is not in review.'],
} as const;

export const fail = errorsOf(designErrors);
export const ensure: ReturnType<typeof ensureOf<typeof designErrors>> = ensureOf(designErrors);
