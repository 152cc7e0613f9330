import { decider, entry, noEntries, withEntry, type Command, type Entries, type Instant, type Personal } from '#kernel';
import { ensure } from './subscription.errors';
import { PLANS, type Plan, type SubscriptionEvent } from './subscription.events';

interface Paid {
  readonly workspaceId: string;
  readonly invoiceId: string;
  readonly amountCents: number;
  readonly currency: string;
}

export type SubscriptionCommand =
  /** `effectiveAt` null: now. */
  | Command<'ChangePlan', { readonly workspaceId: string; readonly plan: Plan; readonly effectiveAt: Instant | null }>
  | Command<'CancelSubscription', { readonly workspaceId: string; readonly effectiveAt: Instant | null }>
  | Command<
      'RecordPayment',
      Paid & ({ readonly outcome: 'succeeded' } | { readonly outcome: 'failed'; readonly reason: string | null })
    >;

/** A plan, from a moment on. */
export interface PlanFrom {
  readonly plan: Plan;
  readonly effectiveAt: Instant;
}

/** A payment as it counts. */
export interface RecordedPayment {
  readonly amountCents: number;
  readonly currency: string;
  /** Null for a payment that succeeded. */
  readonly reason: Personal | null;
}

/** An invoice counts once per outcome. */
export const paymentKey = (outcome: 'succeeded' | 'failed', invoiceId: string): string => `${outcome} ${invoiceId}`;

/** One per workspace. There is always a subscription; it begins with `free`. */
export interface Subscription {
  /** By time; the last may lie ahead. */
  readonly plans: readonly PlanFrom[];
  /** How often the plan was changed, also where that was called off later. */
  readonly changes: number;
  /** What was recorded first, by `paymentKey`. */
  readonly payments: Entries<RecordedPayment>;
}

export const subscriptionDecider = decider<SubscriptionCommand, SubscriptionEvent, Subscription>({
  initial: { plans: [], changes: 0, payments: noEntries },
  decide: {
    ChangePlan: ({ at, workspaceId, plan: toPlan, effectiveAt }, subscription) => {
      const fromPlan = planBefore(subscription, toPlan, effectiveAt ?? at, at);
      ensure(fromPlan !== toPlan, 'PLAN_UNCHANGED', `The plan is ${toPlan} already.`);
      const type = rank(toPlan) > rank(fromPlan) ? 'SubscriptionUpgraded' : 'SubscriptionDowngraded';
      return [{ type, data: { workspaceId, fromPlan, toPlan, effectiveAt: effectiveAt ?? at } }];
    },

    CancelSubscription: ({ at, workspaceId, effectiveAt }, subscription) => {
      const fromPlan = planBefore(subscription, 'free', effectiveAt ?? at, at);
      ensure(fromPlan !== 'free', 'SUBSCRIPTION_NOT_ACTIVE');
      return [
        {
          type: 'SubscriptionCancelled',
          data: { workspaceId, fromPlan, toPlan: 'free', effectiveAt: effectiveAt ?? at },
        },
      ];
    },

    RecordPayment: (command, { payments }) => {
      const { workspaceId, invoiceId, amountCents, currency, outcome } = command;
      if (entry(payments, paymentKey(outcome, invoiceId))) return [];
      const payment = { workspaceId, invoiceId, amountCents, currency };
      return command.outcome === 'succeeded'
        ? [{ type: 'PaymentSucceeded', data: payment }]
        : [{ type: 'PaymentFailed', data: { ...payment, reason: command.reason } }];
    },
  },
  evolve: {
    SubscriptionUpgraded: replan,
    SubscriptionDowngraded: replan,
    SubscriptionCancelled: replan,
    PaymentSucceeded: ({ payments, ...rest }, { invoiceId, amountCents, currency }) => ({
      ...rest,
      payments: withEntry(payments, paymentKey('succeeded', invoiceId), { amountCents, currency, reason: null }),
    }),
    PaymentFailed: ({ payments, ...rest }, { invoiceId, amountCents, currency, reason }) => ({
      ...rest,
      payments: withEntry(payments, paymentKey('failed', invoiceId), { amountCents, currency, reason }),
    }),
  },
});

/** The plan counts its own events, from 0, without those of payments; NO_STREAM's −1 before the first. */
export const planRevision = ({ changes }: Subscription): number => changes - 1;

/** A payment counts its own events of the subscription's, from 0: one for each outcome. Undefined when none was recorded. */
export function paymentRevision({ payments }: Subscription, invoiceId: string): number | undefined {
  const outcomes = (['succeeded', 'failed'] as const).filter((it) => entry(payments, paymentKey(it, invoiceId)));
  return outcomes.length === 0 ? undefined : outcomes.length - 1;
}

const rank = (plan: Plan): number => PLANS.indexOf(plan);

/** The plan in force at `at`. */
export const planAt = ({ plans }: Pick<Subscription, 'plans'>, at: Instant): Plan =>
  plans.findLast(({ effectiveAt }) => effectiveAt <= at)?.plan ?? 'free';

/** The change that lies ahead of `at`, if any. */
export const planAhead = ({ plans }: Pick<Subscription, 'plans'>, at: Instant): PlanFrom | null =>
  plans.find(({ effectiveAt }) => effectiveAt > at) ?? null;

/**
 * The plan that a change to `toPlan` takes the place of: the one in force by then; or, when that is `toPlan` itself, the
 * one announced for later, which this change calls off.
 */
function planBefore(subscription: Subscription, toPlan: Plan, effectiveAt: Instant, at: Instant): Plan {
  const from = effectiveAt > at ? effectiveAt : at;
  const present = planAt(subscription, from);
  return present === toPlan ? (planAhead(subscription, from)?.plan ?? present) : present;
}

/** A change calls off what was announced for its own time or later; one to the plan that holds by then anyway announces nothing. */
function replan(
  { plans, changes, payments }: Subscription,
  { toPlan, effectiveAt }: { toPlan: Plan; effectiveAt: Instant },
): Subscription {
  const earlier = plans.filter((it) => it.effectiveAt < effectiveAt);
  const isHeld = (earlier.at(-1)?.plan ?? 'free') === toPlan;
  return { plans: isHeld ? earlier : [...earlier, { plan: toPlan, effectiveAt }], changes: changes + 1, payments };
}
