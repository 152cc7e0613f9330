/** Its commands refuse nothing; asking for one that never was does. */
export const regionErrors = {
  REGION_NOT_FOUND: ['not-found', 'Nothing has been reported of this region.'],
} as const;
