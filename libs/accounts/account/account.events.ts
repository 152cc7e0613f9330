import { byActor, type EventSchemas, type Instant, type Message, type Personal } from '#kernel';

export const TOKEN_EXPIRED = 'token_expired';
/** Reasons that the core or a network gives: words of ours, and nobody's. Any other is what somebody wrote. */
const CODES: readonly unknown[] = [TOKEN_EXPIRED, 'token_revoked'];

export type AccountEvent =
  /** The first event of an account; once more when a credential that had expired is renewed. */
  | Message<
      'AccountConnected',
      {
        readonly accountId: string;
        readonly platform: string;
        readonly username: Personal;
        readonly profileId: string;
        readonly credentialExpiresAt: Instant | null;
      }
    >
  /** `reason` is `token_expired`, `token_revoked`, or what the caller gave. */
  | Message<'AccountDisconnected', { readonly accountId: string; readonly platform: string; readonly reason: Personal }>
  | Message<'CredentialRenewed', { readonly accountId: string; readonly platform: string; readonly expiresAt: Instant }>
  | Message<
      'CredentialExpiring',
      { readonly accountId: string; readonly platform: string; readonly expiresAt: Instant }
    >;

export const accountEvents: EventSchemas<AccountEvent> = {
  AccountConnected: { version: 1, personal: { username: ({ accountId }) => accountId } },
  AccountDisconnected: {
    version: 1,
    personal: { reason: (data, actor) => (CODES.includes(data.reason) ? null : byActor(data, actor)) },
  },
  CredentialRenewed: { version: 1 },
  CredentialExpiring: { version: 1 },
};
