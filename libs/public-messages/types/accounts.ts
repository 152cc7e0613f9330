import { coreType, id, personal, platform, shape, text, time } from '../core-type';

export const accounts = {
  'account.connected': coreType({
    topic: 'accounts',
    description: 'A social account was linked to a profile.',
    data: shape({ accountId: id('acct'), platform: platform(), username: personal(), profileId: text() }),
    example: { accountId: 'acct_111', platform: 'instagram', username: 'myband_official', profileId: 'prof_xyz' },
    exampleKey: 'acct_111',
  }),
  'account.disconnected': coreType({
    topic: 'accounts',
    description: 'A social account was unlinked, or its token expired or was revoked.',
    data: shape({
      accountId: id('acct'),
      platform: platform(),
      reason: personal('`token_expired`, `token_revoked`, or as given'),
    }),
    example: { accountId: 'acct_111', platform: 'instagram', reason: 'token_revoked' },
    exampleKey: 'acct_111',
  }),
  'account.credential_expiring': coreType({
    topic: 'accounts',
    description: 'The credential of a social account expires in 72 hours or less.',
    data: shape({ accountId: id('acct'), platform: platform(), expiresAt: time() }),
    example: { accountId: 'acct_111', platform: 'instagram', expiresAt: '2026-04-25T14:00:00.000Z' },
    exampleKey: 'acct_111',
  }),
};
