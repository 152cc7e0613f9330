import { accountAggregate, type ExistingAccount } from '#accounts';
import type { Personal } from '#kernel';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

/** An account as `GET /accounts/:id` answers. */
export interface AccountView {
  readonly id: string;
  readonly platform: string;
  readonly username: Personal;
  readonly profileId: string;
  readonly status: 'connected' | 'disconnected';
  readonly credentialExpiresAt: string | null;
  readonly disconnectedReason: Personal | null;
}

export const presentAccount = ({
  accountId,
  platform,
  username,
  profileId,
  status,
  credentialExpiresAt,
  disconnectedReason,
}: ExistingAccount): AccountView => ({
  id: accountId,
  platform,
  username,
  profileId,
  status,
  credentialExpiresAt,
  disconnectedReason,
});

export const accountsView: KeyedView<ExistingAccount, AccountView> = viewOf(accountAggregate, isThere, {
  name: 'accounts',
  shape: 1,
  columns: {
    status: { type: 'text', of: ({ status }) => status },
    platform: { type: 'text', of: ({ platform }) => platform },
    profile_id: { type: 'text', of: ({ profileId }) => profileId },
  },
  filters: {
    status: { column: 'status', how: 'is' },
    platform: { column: 'platform', how: 'is' },
    profileId: { column: 'profile_id', how: 'is' },
  },
  present: presentAccount,
});
