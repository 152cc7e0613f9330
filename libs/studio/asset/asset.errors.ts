/** Its commands refuse nothing; asking for one that never was does. */
export const assetErrors = {
  ASSET_NOT_FOUND: ['not-found', 'There is no such asset.'],
} as const;
