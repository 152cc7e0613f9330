/** Its commands refuse nothing; asking for one that never was does. */
export const galleryErrors = {
  GALLERY_NOT_FOUND: ['not-found', 'There is no such gallery.'],
} as const;
