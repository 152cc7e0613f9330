import { decider, type Command, type Instant } from '#kernel';
import { ensure } from './api-key.errors';
import type { ApiKeyEvent, KeyKind } from './api-key.events';

export type ApiKeyCommand =
  | Command<
      'IssueApiKey',
      {
        readonly keyId: string;
        readonly name: string;
        readonly scopes: readonly string[];
        readonly kind: KeyKind;
        readonly expiresAt: Instant | null;
      }
    >
  | Command<'RevokeApiKey'>
  | Command<'ReactivateApiKey'>;

export type ApiKey =
  | { readonly status: 'absent' }
  | {
      readonly status: 'live' | 'revoked';
      readonly keyId: string;
      readonly name: string;
      readonly scopes: readonly string[];
      readonly kind: KeyKind;
      readonly expiresAt: Instant | null;
    };

export const apiKeyDecider = decider<ApiKeyCommand, ApiKeyEvent, ApiKey>({
  initial: { status: 'absent' },
  decide: {
    IssueApiKey: ({ keyId, name, scopes, kind, expiresAt }, key) => {
      ensure(key.status === 'absent', 'API_KEY_ALREADY_EXISTS');
      return [{ type: 'ApiKeyIssued', data: { keyId, name, scopes, kind, expiresAt } }];
    },

    RevokeApiKey: (_, key) => {
      // A revoked key is gone for whoever asks: it is never listed again.
      ensure(key.status === 'live', 'API_KEY_NOT_FOUND');
      return [{ type: 'ApiKeyRevoked', data: { keyId: key.keyId } }];
    },

    ReactivateApiKey: (_, key) => {
      ensure(key.status !== 'absent', 'API_KEY_NOT_FOUND');
      if (key.status === 'live') return [];
      const { keyId, name, scopes, kind, expiresAt } = key;
      return [{ type: 'ApiKeyIssued', data: { keyId, name, scopes, kind, expiresAt } }];
    },
  },
  evolve: {
    ApiKeyIssued: (_, { keyId, name, scopes, kind, expiresAt }) => ({
      status: 'live',
      keyId,
      name,
      scopes,
      kind,
      expiresAt,
    }),
    ApiKeyRevoked: (key) => {
      if (key.status === 'absent') throw new Error('A key was revoked before it was issued');
      return { ...key, status: 'revoked' };
    },
  },
});
