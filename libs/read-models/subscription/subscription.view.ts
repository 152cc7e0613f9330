import { apply, noEntries, type Instant } from '#kernel';
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
export const presentSubscription = (row: SubscriptionRow, now: Instant): SubscriptionView => ({
  plan: planAt(row, now),
  upcoming: planAhead(row, now),
});

const isPlanChange = (type: string): boolean => type.startsWith('Subscription');

/** One row per workspace, its id the workspace's. */
export const subscriptionView: KeyedView<SubscriptionRow, SubscriptionRow> = {
  name: 'subscription',
  shape: 3,
  category: 'subscription',
  isDivided: true,
  keys: (event) => (isPlanChange(event.type) ? ownKey(event) : []),
  evolve: (row, event) => {
    const before: Subscription = { plans: row?.plans ?? [], changes: 0, payments: noEntries };
    return { plans: apply(subscriptionDecider, before, event as unknown as SubscriptionEvent).plans };
  },
  columns: {},
  filters: {},
  present: (row) => row,
};
