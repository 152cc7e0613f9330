import { ensureOf } from '#kernel';

export const contentErrors = {
  CONTENT_NOT_FOUND: ['not-found', 'There is no such content.'],
  CONTENT_FULL: ['conflict', 'The content is adapted to 1,000 regions and locales already.'],
} as const;

export const ensure: ReturnType<typeof ensureOf<typeof contentErrors>> = ensureOf(contentErrors);
