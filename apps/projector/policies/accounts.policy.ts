import { EXPIRY_WARNING_MS } from '#accounts';
import { plus, type Instant } from '#kernel';
import type { Policy, Step } from './policy';

const expiry = (accountId: string, expiresAt: Instant): readonly Step[] => [
  {
    set: {
      kind: 'credential_expiring',
      name: accountId,
      target: accountId,
      dueAt: plus(expiresAt, -EXPIRY_WARNING_MS),
      payload: { accountId, expiresAt },
    },
  },
  {
    set: {
      kind: 'credential_expired',
      name: accountId,
      target: accountId,
      dueAt: expiresAt,
      payload: { accountId, expiresAt },
    },
  },
];

const noExpiry = (accountId: string): readonly Step[] => [
  { clear: { kind: 'credential_expiring', name: accountId } },
  { clear: { kind: 'credential_expired', name: accountId } },
];

/** An expiry is announced 72 hours ahead, at once when it is nearer (API.md), and takes the account away when it comes. */
export const accountsPolicy = {
  AccountConnected: ({ accountId, credentialExpiresAt }) =>
    credentialExpiresAt === null ? [] : expiry(accountId, credentialExpiresAt),
  CredentialRenewed: ({ accountId, expiresAt }) => expiry(accountId, expiresAt),
  AccountDisconnected: ({ accountId }) => noExpiry(accountId),
} satisfies Policy;
