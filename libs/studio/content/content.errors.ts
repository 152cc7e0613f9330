/** Its commands refuse nothing; asking for one that never was does. */
export const contentErrors = {
  CONTENT_NOT_FOUND: ['not-found', 'There is no such content.'],
} as const;
