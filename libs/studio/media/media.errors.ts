import { ensureOf } from '#kernel';

export const mediaErrors = {
  MEDIA_ALREADY_EXISTS: ['conflict', 'A medium with this id exists already.'],
  MEDIA_NOT_FOUND: ['not-found', 'There is no such medium.'],
  MEDIA_ALREADY_PROCESSED: ['conflict', 'The medium has been processed already.'],
} as const;

export const ensure: ReturnType<typeof ensureOf<typeof mediaErrors>> = ensureOf(mediaErrors);
