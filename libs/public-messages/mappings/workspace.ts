import type { ApiKeyEvent, SubjectEvent, SubscriptionEvent, TeamEvent, WorkspaceEvent } from '#workspace';
import { nothing, say, type Mapping } from '../say';

export const workspaceMessages: Mapping<WorkspaceEvent | ApiKeyEvent | SubjectEvent> = {
  WorkspaceCreated: nothing,
  ApiKeyIssued: nothing,
  ApiKeyRevoked: nothing,
  SubjectErased: nothing,
};

export const teamMessages: Mapping<TeamEvent> = {
  MemberInvited: ({ inviteId, email, role, invitedBy }) => [
    say('team.member_invited', { inviteId, email, role, invitedBy }),
  ],
  MemberJoined: ({ userId, inviteId, role }) => [say('team.member_joined', { userId, inviteId, role })],
  RoleChanged: ({ userId, oldRole, newRole, changedBy }) => [
    say('team.role_changed', { userId, oldRole, newRole, changedBy }),
  ],
};

export const subscriptionMessages: Mapping<SubscriptionEvent> = {
  SubscriptionUpgraded: ({ workspaceId, fromPlan, toPlan, effectiveAt }) => [
    say('subscription.upgraded', { workspaceId, fromPlan, toPlan, effectiveAt }),
  ],
  SubscriptionDowngraded: ({ workspaceId, fromPlan, toPlan, effectiveAt }) => [
    say('subscription.downgraded', { workspaceId, fromPlan, toPlan, effectiveAt }),
  ],
  SubscriptionCancelled: ({ workspaceId, fromPlan, toPlan, effectiveAt }) => [
    say('subscription.cancelled', { workspaceId, fromPlan, toPlan, effectiveAt }),
  ],
  PaymentSucceeded: ({ workspaceId, amountCents, currency, invoiceId }) => [
    say('payment.succeeded', { workspaceId, amountCents, currency, invoiceId }),
  ],
  PaymentFailed: ({ workspaceId, amountCents, currency, invoiceId }) => [
    say('payment.failed', { workspaceId, amountCents, currency, invoiceId }),
  ],
};
