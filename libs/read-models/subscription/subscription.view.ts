import { apply, type Instant } from '#kernel';
import {
  planAhead,
  planAt,
  subscriptionDecider,
  type Plan,
  type PlanFrom,
  type Subscription,
  type SubscriptionEvent,
} from '#workspace';
import { ownKey, type KeyedView } from '../keyed/keyed-view';

/** The plans of a workspace, by time; which one holds depends on the moment one asks. */
export type SubscriptionRow = Pick<Subscription, 'plans'>;

/** A subscription as `GET /subscription` answers. */
export interface SubscriptionView {
  readonly plan: Plan;
  /** The change that has been announced for later; null when there is none. */
  readonly upcoming: PlanFrom | null;
}

/** As it stands at `now`; a workspace without a row has `{ plans: [] }`. */
export function presentSubscription({ plans }: SubscriptionRow, now: Instant): SubscriptionView {
  const subscription = { plans, payments: new Map() };
  return { plan: planAt(subscription, now), upcoming: planAhead(subscription, now) };
}

const isPlanChange = (type: string): boolean => type.startsWith('Subscription');

/** One row per workspace, its id the workspace's. */
export const subscriptionView: KeyedView<SubscriptionRow, SubscriptionRow> = {
  name: 'subscription',
  shape: 2,
  category: 'subscription',
  keys: (event) => (isPlanChange(event.type) ? ownKey(event) : []),
  evolve: (row, event) => {
    const before: Subscription = { plans: row?.plans ?? [], payments: new Map() };
    return { plans: apply(subscriptionDecider, before, event as unknown as SubscriptionEvent).plans };
  },
  columns: {},
  filters: {},
  present: (row) => row,
};
