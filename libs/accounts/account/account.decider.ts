import { decider, type Instant, type Personal } from '#kernel';
import type { AccountCommand } from './account.commands';
import { ensure, fail } from './account.errors';
import { TOKEN_EXPIRED, type AccountEvent } from './account.events';

export interface ExistingAccount {
  readonly status: 'connected' | 'disconnected';
  readonly accountId: string;
  readonly platform: string;
  readonly username: Personal;
  readonly profileId: string;
  readonly credentialExpiresAt: Instant | null;
  /** Whether the coming expiry has been announced. */
  readonly expiring: boolean;
  readonly disconnectedReason: Personal | null;
}

export type Account = { readonly status: 'absent' } | ExistingAccount;

export const accountDecider = decider<AccountCommand, AccountEvent, Account>({
  initial: { status: 'absent' },
  decide: {
    ConnectAccount: ({ accountId, platform, username, profileId, credentialExpiresAt }, account) => {
      ensure(account.status === 'absent', 'ACCOUNT_ALREADY_EXISTS');
      return [{ type: 'AccountConnected', data: { accountId, platform, username, profileId, credentialExpiresAt } }];
    },

    DisconnectAccount: ({ reason }, account) => {
      const { accountId, platform, status } = found(account);
      ensure(status === 'connected', 'ACCOUNT_NOT_CONNECTED');
      return [{ type: 'AccountDisconnected', data: { accountId, platform, reason } }];
    },

    RenewCredential: ({ expiresAt }, account) => {
      const { accountId, platform, username, profileId, status, disconnectedReason } = found(account);
      if (status === 'connected') return [{ type: 'CredentialRenewed', data: { accountId, platform, expiresAt } }];
      // What an expiry took away a fresh credential gives back; what a person or the network took away it does not.
      ensure(disconnectedReason === TOKEN_EXPIRED, 'ACCOUNT_NOT_CONNECTED');
      return [
        {
          type: 'AccountConnected',
          data: { accountId, platform, username, profileId, credentialExpiresAt: expiresAt },
        },
      ];
    },

    MarkCredentialExpiring: ({ expiresAt }, account) => {
      if (account.status !== 'connected' || account.credentialExpiresAt !== expiresAt || account.expiring) return [];
      const { accountId, platform } = account;
      return [{ type: 'CredentialExpiring', data: { accountId, platform, expiresAt } }];
    },

    MarkCredentialExpired: ({ at, expiresAt }, account) => {
      if (account.status !== 'connected' || account.credentialExpiresAt !== expiresAt || at < expiresAt) return [];
      const { accountId, platform } = account;
      return [{ type: 'AccountDisconnected', data: { accountId, platform, reason: TOKEN_EXPIRED } }];
    },
  },
  evolve: {
    AccountConnected: (_, data) => ({ ...data, status: 'connected', expiring: false, disconnectedReason: null }),
    AccountDisconnected: (account, { reason }) => ({
      ...found(account),
      status: 'disconnected',
      disconnectedReason: reason,
    }),
    CredentialRenewed: (account, { expiresAt }) => ({
      ...found(account),
      credentialExpiresAt: expiresAt,
      expiring: false,
    }),
    CredentialExpiring: (account) => ({ ...found(account), expiring: true }),
  },
});

function found(account: Account): ExistingAccount {
  if (account.status === 'absent') throw fail('ACCOUNT_NOT_FOUND');
  return account;
}

/** Whether a post may go to this account: throws ACCOUNT_UNKNOWN or ACCOUNT_PLATFORM_MISMATCH (422), ACCOUNT_NOT_CONNECTED (409). */
export function ensurePublishable(account: Account, accountId: string, platform: string): void {
  ensure(account.status !== 'absent', 'ACCOUNT_UNKNOWN', `There is no account ${accountId}.`);
  ensure(
    account.platform === platform,
    'ACCOUNT_PLATFORM_MISMATCH',
    `Account ${accountId} is on ${account.platform}, not ${platform}.`,
  );
  ensure(account.status === 'connected', 'ACCOUNT_NOT_CONNECTED', `Account ${accountId} is not connected.`);
}
