import type { AccountEvent } from '#accounts';
import { nothing, say, type Mapping } from '../say';

export const accountMessages: Mapping<AccountEvent> = {
  AccountConnected: ({ accountId, platform, username, profileId }) => [
    say('account.connected', { accountId, platform, username, profileId }),
  ],
  AccountDisconnected: ({ accountId, platform, reason }) => [
    say('account.disconnected', { accountId, platform, reason }),
  ],
  CredentialRenewed: nothing,
  CredentialExpiring: ({ accountId, platform, expiresAt }) => [
    say('account.credential_expiring', { accountId, platform, expiresAt }),
  ],
};
