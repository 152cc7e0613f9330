import { byActor, type EventSchemas, type Instant, type Message, type Personal } from '#kernel';

/** From the least to the most. A workspace begins with the first. */
export const PLANS = ['free', 'starter', 'pro', 'business'] as const;
export type Plan = (typeof PLANS)[number];

interface PlanChange {
  readonly workspaceId: string;
  readonly fromPlan: Plan;
  readonly toPlan: Plan;
  readonly effectiveAt: Instant;
}

interface Payment {
  readonly workspaceId: string;
  readonly invoiceId: string;
  readonly amountCents: number;
  readonly currency: string;
}

export type SubscriptionEvent =
  | Message<'SubscriptionUpgraded', PlanChange>
  | Message<'SubscriptionDowngraded', PlanChange>
  /** `toPlan` is `free`. */
  | Message<'SubscriptionCancelled', PlanChange>
  | Message<'PaymentSucceeded', Payment>
  | Message<'PaymentFailed', Payment & { readonly reason: Personal | null }>;

export const subscriptionEvents: EventSchemas<SubscriptionEvent> = {
  SubscriptionUpgraded: { version: 1 },
  SubscriptionDowngraded: { version: 1 },
  SubscriptionCancelled: { version: 1 },
  PaymentSucceeded: { version: 1 },
  PaymentFailed: { version: 1, personal: { reason: byActor } },
};
