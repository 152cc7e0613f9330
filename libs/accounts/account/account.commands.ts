import { HOUR, type Command, type Instant } from '#kernel';

export type AccountCommand =
  | Command<
      'ConnectAccount',
      {
        readonly accountId: string;
        readonly platform: string;
        readonly username: string;
        readonly profileId: string;
        readonly credentialExpiresAt: Instant | null;
      }
    >
  | Command<'DisconnectAccount', { readonly reason: string }>
  | Command<'RenewCredential', { readonly expiresAt: Instant }>
  /** From timers; nothing happens when the credential has been renewed since, or the account disconnected. */
  | Command<'MarkCredentialExpiring', { readonly expiresAt: Instant }>
  | Command<'MarkCredentialExpired', { readonly expiresAt: Instant }>;

/** API.md: a subscriber hears of an expiry so long before it. */
export const EXPIRY_WARNING_MS = 72 * HOUR;
