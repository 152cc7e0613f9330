import { instant, plus, type Instant } from '#kernel';
import { scenariosOf } from '#testing';
import type { AccountCommand } from './account.commands';
import { accountDecider, ensurePublishable } from './account.decider';
import type { AccountEvent } from './account.events';

const { given } = scenariosOf(accountDecider);

const noon = instant('2026-04-22T12:00:00.000Z');
const june = instant('2026-06-01T00:00:00.000Z');
const july = instant('2026-07-01T00:00:00.000Z');
const stamp = { at: noon, actor: 'usr_1' };
const account = {
  accountId: 'acct_1',
  platform: 'instagram',
  username: 'myband_official',
  profileId: 'prof_1',
  credentialExpiresAt: june,
};
const of = { accountId: 'acct_1', platform: 'instagram' };

const connect: AccountCommand = { ...stamp, type: 'ConnectAccount', ...account };
const disconnect: AccountCommand = { ...stamp, type: 'DisconnectAccount', reason: 'token_revoked' };
const renew: AccountCommand = { ...stamp, type: 'RenewCredential', expiresAt: july };
const warn = (expiresAt: Instant): AccountCommand => ({ ...stamp, type: 'MarkCredentialExpiring', expiresAt });
const expire = (expiresAt: Instant, at = expiresAt): AccountCommand => ({
  ...stamp,
  at,
  type: 'MarkCredentialExpired',
  expiresAt,
});

const connected: AccountEvent = { type: 'AccountConnected', data: account };
const disconnected = (reason: string): AccountEvent => ({ type: 'AccountDisconnected', data: { ...of, reason } });
const renewed: AccountEvent = { type: 'CredentialRenewed', data: { ...of, expiresAt: july } };
const expiring = (expiresAt: Instant): AccountEvent => ({ type: 'CredentialExpiring', data: { ...of, expiresAt } });

describe('an account', () => {
  it('is connected with one event', () => given().when(connect).then(connected));
  it('is connected once', () => given(connected).when(connect).fails('ACCOUNT_ALREADY_EXISTS'));
  it('keeps its id when it is disconnected', () =>
    given(connected, disconnected('bye')).when(connect).fails('ACCOUNT_ALREADY_EXISTS'));
  it('is disconnected with one event, for the reason given', () =>
    given(connected).when(disconnect).then(disconnected('token_revoked')));
  it('is disconnected once', () =>
    given(connected, disconnected('bye')).when(disconnect).fails('ACCOUNT_NOT_CONNECTED'));
  it('must exist', () => {
    given().when(disconnect).fails('ACCOUNT_NOT_FOUND');
    given().when(renew).fails('ACCOUNT_NOT_FOUND');
  });
});

describe('a credential', () => {
  it('is renewed', () => given(connected).when(renew).then(renewed));
  it('is announced as expiring once', () => {
    given(connected).when(warn(june)).then(expiring(june));
    given(connected, expiring(june)).when(warn(june)).then();
  });
  it('is announced anew after a renewal', () =>
    given(connected, expiring(june), renewed).when(warn(july)).then(expiring(july)));
  it('disconnects the account when it expires', () =>
    given(connected).when(expire(june)).then(disconnected('token_expired')));
  it('does not expire early', () =>
    given(connected)
      .when(expire(june, plus(june, -1)))
      .then());
  it('does not expire by the timer of an older one', () => {
    given(connected, renewed).when(expire(june)).then();
    given(connected, renewed).when(warn(june)).then();
  });
  it('has no timers once the account is disconnected', () => {
    given(connected, disconnected('bye')).when(warn(june)).then();
    given(connected, disconnected('bye')).when(expire(june)).then();
    given().when(warn(june)).then();
    given().when(expire(june)).then();
  });
  it('connects the account again when it had expired', () =>
    given(connected, disconnected('token_expired'))
      .when(renew)
      .then({ type: 'AccountConnected', data: { ...account, credentialExpiresAt: july } }));
  it.each(['token_revoked', 'left the band'])('does not bring back what was taken away otherwise: %s', (reason) =>
    given(connected, disconnected(reason)).when(renew).fails('ACCOUNT_NOT_CONNECTED'),
  );
});

describe('an account that a post is to go to', () => {
  const status = (it: 'connected' | 'disconnected') => ({
    ...account,
    status: it,
    expiring: false,
    disconnectedReason: null,
  });
  it('may be connected', () =>
    expect(() => ensurePublishable(status('connected'), 'acct_1', 'instagram')).not.toThrow());
  it('must exist', () =>
    expect(() => ensurePublishable({ status: 'absent' }, 'acct_1', 'instagram')).toThrow('ACCOUNT_UNKNOWN'));
  it('must be on that platform', () =>
    expect(() => ensurePublishable(status('connected'), 'acct_1', 'linkedin')).toThrow('ACCOUNT_PLATFORM_MISMATCH'));
  it('must be connected', () =>
    expect(() => ensurePublishable(status('disconnected'), 'acct_1', 'instagram')).toThrow('ACCOUNT_NOT_CONNECTED'));
});
