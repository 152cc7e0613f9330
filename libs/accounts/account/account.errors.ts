import { ensureOf, errorsOf } from '#kernel';

export const accountErrors = {
  ACCOUNT_ALREADY_EXISTS: ['conflict', 'An account with this id exists already.'],
  ACCOUNT_NOT_FOUND: ['not-found', 'There is no such account.'],
  ACCOUNT_NOT_CONNECTED: ['conflict', 'The account is not connected.'],
  ACCOUNT_UNKNOWN: ['refused', 'The post names an account that does not exist.'],
  ACCOUNT_PLATFORM_MISMATCH: ['refused', 'The account is on another platform.'],
} as const;

export const fail = errorsOf(accountErrors);
export const ensure: ReturnType<typeof ensureOf<typeof accountErrors>> = ensureOf(accountErrors);
