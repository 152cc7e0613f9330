import type { EventSchemas, Instant, Message } from '#kernel';

export type KeyKind = 'service' | 'client';

/** Neither the key nor its hash is ever in the log. */
export type ApiKeyEvent =
  | Message<
      'ApiKeyIssued',
      {
        readonly keyId: string;
        readonly name: string;
        readonly scopes: readonly string[];
        readonly kind: KeyKind;
        /** When it ends by itself; null when it does not. */
        readonly expiresAt: Instant | null;
      }
    >
  | Message<'ApiKeyRevoked', { readonly keyId: string }>;

export const apiKeyEvents: EventSchemas<ApiKeyEvent> = {
  // The first version did not tell.
  ApiKeyIssued: { version: 2, upcasters: [(data) => ({ ...data, expiresAt: null })] },
  ApiKeyRevoked: { version: 1 },
};
