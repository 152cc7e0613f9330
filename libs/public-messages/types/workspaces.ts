import { coreType, count, id, oneOf, personal, shape, text, time } from '../core-type';

const role = () => oneOf('owner', 'admin', 'editor', 'viewer');
const plan = () => oneOf('free', 'starter', 'pro', 'business');
const change = () => shape({ workspaceId: id('ws'), fromPlan: plan(), toPlan: plan(), effectiveAt: time() });
const payment = () =>
  shape({ workspaceId: id('ws'), amountCents: count(), currency: text('ISO 4217'), invoiceId: text() });

export const workspaces = {
  'team.member_invited': coreType({
    topic: 'workspaces',
    description: 'An invitation to the team was sent.',
    data: shape({
      inviteId: id('inv'),
      email: personal(),
      role: role(),
      invitedBy: text('The person, or the key that acted'),
    }),
    example: { inviteId: 'inv_001', email: 'colleague@example.com', role: 'editor', invitedBy: 'usr_owner123' },
    exampleKey: 'ws_789',
  }),
  'team.member_joined': coreType({
    topic: 'workspaces',
    description: 'An invitation was accepted.',
    data: shape({ userId: id('usr'), inviteId: id('inv'), role: role() }),
    example: { userId: 'usr_456', inviteId: 'inv_001', role: 'editor' },
    exampleKey: 'ws_789',
  }),
  'team.role_changed': coreType({
    topic: 'workspaces',
    description: 'A member of the team got another role.',
    data: shape({
      userId: id('usr'),
      oldRole: role(),
      newRole: role(),
      changedBy: text('The person, or the key that acted'),
    }),
    example: { userId: 'usr_456', oldRole: 'editor', newRole: 'admin', changedBy: 'usr_owner123' },
    exampleKey: 'ws_789',
  }),
  'subscription.upgraded': coreType({
    topic: 'workspaces',
    description: 'A workspace chose a higher plan, in force from `effectiveAt`.',
    data: change(),
    example: { workspaceId: 'ws_789', fromPlan: 'starter', toPlan: 'pro', effectiveAt: '2026-04-22T14:25:00.000Z' },
    exampleKey: 'ws_789',
  }),
  'subscription.downgraded': coreType({
    topic: 'workspaces',
    description: 'A workspace chose a lower plan, in force from `effectiveAt`.',
    data: change(),
    example: { workspaceId: 'ws_789', fromPlan: 'pro', toPlan: 'starter', effectiveAt: '2026-05-01T00:00:00.000Z' },
    exampleKey: 'ws_789',
  }),
  'subscription.cancelled': coreType({
    topic: 'workspaces',
    description: 'A workspace ended its plan; it is free from `effectiveAt`.',
    data: change(),
    example: { workspaceId: 'ws_789', fromPlan: 'pro', toPlan: 'free', effectiveAt: '2026-05-01T00:00:00.000Z' },
    exampleKey: 'ws_789',
  }),
  'payment.succeeded': coreType({
    topic: 'workspaces',
    description: 'A subscription payment was collected.',
    data: payment(),
    example: { workspaceId: 'ws_789', amountCents: 2900, currency: 'usd', invoiceId: 'in_1PqR2sXYZ' },
    exampleKey: 'ws_789',
  }),
  'payment.failed': coreType({
    topic: 'workspaces',
    description: 'A subscription payment could not be collected.',
    data: payment(),
    example: { workspaceId: 'ws_789', amountCents: 2900, currency: 'usd', invoiceId: 'in_1PqR2sXYZ' },
    exampleKey: 'ws_789',
  }),
};
