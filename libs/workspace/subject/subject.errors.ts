export const subjectErrors = {
  SUBJECT_NOT_FOUND: ['not-found', 'No personal data of this id was ever stored.'],
} as const;
