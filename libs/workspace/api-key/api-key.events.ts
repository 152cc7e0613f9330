import type { EventSchemas, Message } from '#kernel';

export type KeyKind = 'service' | 'client';

/** Neither the key nor its hash is ever in the log. */
export type ApiKeyEvent =
  | Message<
      'ApiKeyIssued',
      { readonly keyId: string; readonly name: string; readonly scopes: readonly string[]; readonly kind: KeyKind }
    >
  | Message<'ApiKeyRevoked', { readonly keyId: string }>;

export const apiKeyEvents: EventSchemas<ApiKeyEvent> = {
  ApiKeyIssued: { version: 1 },
  ApiKeyRevoked: { version: 1 },
};
