import type { EventSchemas, Instant, Message } from '#kernel';

export type AccountEvent =
  /** The first event of an account; once more when a credential that had expired is renewed. */
  | Message<
      'AccountConnected',
      {
        readonly accountId: string;
        readonly platform: string;
        readonly username: string;
        readonly profileId: string;
        readonly credentialExpiresAt: Instant | null;
      }
    >
  /** `reason` is `token_expired`, `token_revoked`, or what the caller gave. */
  | Message<'AccountDisconnected', { readonly accountId: string; readonly platform: string; readonly reason: string }>
  | Message<'CredentialRenewed', { readonly accountId: string; readonly platform: string; readonly expiresAt: Instant }>
  | Message<
      'CredentialExpiring',
      { readonly accountId: string; readonly platform: string; readonly expiresAt: Instant }
    >;

export const accountEvents: EventSchemas<AccountEvent> = {
  AccountConnected: { version: 1, personal: ['username'] },
  AccountDisconnected: { version: 1, personal: ['reason'] },
  CredentialRenewed: { version: 1 },
  CredentialExpiring: { version: 1 },
};
