import { instant } from '#kernel';
import { scenariosOf } from '#testing';
import { apiKeyDecider, type ApiKeyCommand } from './api-key.decider';
import type { ApiKeyEvent } from './api-key.events';

const { given } = scenariosOf(apiKeyDecider);
const stamp = { at: instant('2026-04-22T12:00:00.000Z'), actor: 'key_0' };
const key = {
  keyId: 'key_1',
  name: 'Poster',
  scopes: ['read', 'commands'],
  kind: 'service' as const,
  expiresAt: instant('2026-05-01T00:00:00.000Z'),
};
const issue: ApiKeyCommand = { ...stamp, type: 'IssueApiKey', ...key };
const revoke: ApiKeyCommand = { ...stamp, type: 'RevokeApiKey' };
const reactivate: ApiKeyCommand = { ...stamp, type: 'ReactivateApiKey' };
const issued: ApiKeyEvent = { type: 'ApiKeyIssued', data: key };
const revoked: ApiKeyEvent = { type: 'ApiKeyRevoked', data: { keyId: 'key_1' } };

describe('an API key', () => {
  it('is issued', () => given().when(issue).then(issued));
  it('is issued once, also when it was revoked', () => {
    given(issued).when(issue).fails('API_KEY_ALREADY_EXISTS');
    given(issued, revoked).when(issue).fails('API_KEY_ALREADY_EXISTS');
  });
  it('is revoked', () => given(issued).when(revoke).then(revoked));
  it('is gone once revoked', () => given(issued, revoked).when(revoke).fails('API_KEY_NOT_FOUND'));
  it('is issued anew when it was revoked and is wanted again', () => {
    given(issued, revoked).when(reactivate).then(issued);
    given(issued).when(reactivate).then();
  });
  it('must exist', () => {
    given().when(revoke).fails('API_KEY_NOT_FOUND');
    given().when(reactivate).fails('API_KEY_NOT_FOUND');
  });
});
