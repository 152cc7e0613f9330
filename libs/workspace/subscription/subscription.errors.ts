import { ensureOf } from '#kernel';

export const subscriptionErrors = {
  PLAN_UNCHANGED: ['conflict', 'The workspace has this plan already, or will.'],
  SUBSCRIPTION_NOT_ACTIVE: ['conflict', 'There is no paid plan to cancel.'],
} as const;

export const ensure: ReturnType<typeof ensureOf<typeof subscriptionErrors>> = ensureOf(subscriptionErrors);
