/** Absence of what comes into being with its first command: only a read can meet it. */
export const studioErrors = {
  ASSET_NOT_FOUND: ['not-found', 'There is no such asset.'],
  GALLERY_NOT_FOUND: ['not-found', 'There is no such gallery.'],
  CONTENT_NOT_FOUND: ['not-found', 'There is no such content.'],
  REGION_NOT_FOUND: ['not-found', 'There are no figures of this region.'],
} as const;
