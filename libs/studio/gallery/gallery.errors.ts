import { ensureOf } from '#kernel';

export const galleryErrors = {
  GALLERY_NOT_FOUND: ['not-found', 'There is no such gallery.'],
  GALLERY_FULL: ['conflict', 'The gallery would hold more than 10,000 items.'],
} as const;

export const ensure: ReturnType<typeof ensureOf<typeof galleryErrors>> = ensureOf(galleryErrors);
