import { ensureOf } from '#kernel';

export const apiKeyErrors = {
  API_KEY_ALREADY_EXISTS: ['conflict', 'A key with this id exists already, or did.'],
  API_KEY_NOT_FOUND: ['not-found', 'There is no such key.'],
} as const;

export const ensure: ReturnType<typeof ensureOf<typeof apiKeyErrors>> = ensureOf(apiKeyErrors);
