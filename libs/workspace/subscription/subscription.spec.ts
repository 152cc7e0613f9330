import { allEntries, fold, instant, type Instant } from '#kernel';
import { scenariosOf } from '#testing';
import { planAhead, planAt, subscriptionDecider, type SubscriptionCommand } from './subscription.decider';
import type { Plan, SubscriptionEvent } from './subscription.events';

const { given } = scenariosOf(subscriptionDecider);
const noon = instant('2026-04-22T12:00:00.000Z');
const may = instant('2026-05-01T00:00:00.000Z');
const june = instant('2026-06-01T00:00:00.000Z');
const workspaceId = 'ws_1';
const stamp = { at: noon, actor: 'usr_1' };
const choose = (plan: Plan, effectiveAt: Instant | null = null): SubscriptionCommand => ({
  ...stamp,
  type: 'ChangePlan',
  workspaceId,
  plan,
  effectiveAt,
});
const cancel = (effectiveAt: Instant | null = null): SubscriptionCommand => ({
  ...stamp,
  type: 'CancelSubscription',
  workspaceId,
  effectiveAt,
});
const change = (fromPlan: Plan, toPlan: Plan, effectiveAt: Instant) => ({ workspaceId, fromPlan, toPlan, effectiveAt });
const upgraded = (...it: Parameters<typeof change>): SubscriptionEvent => ({
  type: 'SubscriptionUpgraded',
  data: change(...it),
});
const downgraded = (...it: Parameters<typeof change>): SubscriptionEvent => ({
  type: 'SubscriptionDowngraded',
  data: change(...it),
});
const cancelled = (fromPlan: Plan, effectiveAt: Instant): SubscriptionEvent => ({
  type: 'SubscriptionCancelled',
  data: change(fromPlan, 'free', effectiveAt),
});

describe('a plan', () => {
  it('begins free and is upgraded now', () =>
    given()
      .when(choose('starter'))
      .then(upgraded('free', 'starter', noon)));
  it('is downgraded', () =>
    given(upgraded('free', 'business', noon))
      .when(choose('pro'))
      .then(downgraded('business', 'pro', noon)));
  it('is announced for later', () =>
    given(upgraded('free', 'pro', noon))
      .when(choose('starter', may))
      .then(downgraded('pro', 'starter', may)));
  it('that is the same is refused', () => {
    given().when(choose('free')).fails('PLAN_UNCHANGED');
    given(upgraded('free', 'pro', noon))
      .when(choose('pro'))
      .fails('PLAN_UNCHANGED');
    given(upgraded('free', 'pro', may))
      .when(choose('pro', june))
      .fails('PLAN_UNCHANGED');
  });
  it('is compared with the one in force by then', () =>
    given(upgraded('free', 'pro', may))
      .when(choose('business', june))
      .then(upgraded('pro', 'business', june)));
  it('takes the place of one that was announced for later', () =>
    given(upgraded('free', 'pro', may))
      .when(choose('starter'))
      .then(upgraded('free', 'starter', noon)));
  it('is kept by choosing it again before its end', () =>
    given(upgraded('free', 'pro', noon), cancelled('pro', may))
      .when(choose('pro'))
      .then(upgraded('free', 'pro', noon)));
  it('may be settled for a time that has passed', () =>
    given(upgraded('free', 'pro', noon))
      .when(choose('starter', instant('2026-01-01T00:00:00.000Z')))
      .then(downgraded('pro', 'starter', instant('2026-01-01T00:00:00.000Z'))));
});

describe('a cancellation', () => {
  it('leads back to free', () =>
    given(upgraded('free', 'pro', noon))
      .when(cancel(may))
      .then(cancelled('pro', may)));
  it('needs a paid plan', () => {
    given().when(cancel()).fails('SUBSCRIPTION_NOT_ACTIVE');
    given(upgraded('free', 'pro', noon), cancelled('pro', noon))
      .when(cancel())
      .fails('SUBSCRIPTION_NOT_ACTIVE');
    given(upgraded('free', 'pro', noon), cancelled('pro', may))
      .when(cancel(may))
      .fails('SUBSCRIPTION_NOT_ACTIVE');
  });
  it('calls off an upgrade that lies ahead', () =>
    given(upgraded('free', 'pro', may))
      .when(cancel())
      .then(cancelled('pro', noon)));
});

describe('the plan in force', () => {
  const at = (when: Instant, ...events: SubscriptionEvent[]) => planAt(fold(subscriptionDecider, events), when);
  it('is free at first', () => expect(at(noon)).toBe('free'));
  it('changes when the change takes effect, not before', () => {
    expect(at(noon, upgraded('free', 'pro', may))).toBe('free');
    expect(at(may, upgraded('free', 'pro', may))).toBe('pro');
  });
  it('is not changed any more by what was called off', () => {
    const events = [upgraded('free', 'pro', may), upgraded('free', 'starter', noon)];
    expect(at(june, ...events)).toBe('starter');
    expect(planAhead(fold(subscriptionDecider, events), noon)).toBeNull();
  });
  it('is the last of those announced for the same moment', () => {
    const events = [upgraded('free', 'starter', noon), upgraded('starter', 'pro', may), cancelled('pro', may)];
    expect(at(may, ...events)).toBe('free');
    expect(planAhead(fold(subscriptionDecider, events), noon)).toEqual({ plan: 'free', effectiveAt: may });
  });
  it('stays as it is when what was announced is taken back for the same moment', () => {
    const events = [upgraded('free', 'pro', noon), cancelled('pro', may), upgraded('free', 'pro', may)];
    expect(at(may, ...events)).toBe('pro');
    expect(planAhead(fold(subscriptionDecider, events), noon)).toBeNull();
  });
  it('stays free when the first upgrade is called off for a moment before it', () => {
    const lastOfApril = instant('2026-04-30T00:00:00.000Z');
    const events = [upgraded('free', 'pro', may), cancelled('pro', lastOfApril)];
    expect(at(june, ...events)).toBe('free');
    expect(planAhead(fold(subscriptionDecider, events), noon)).toBeNull();
  });
  it('tells what lies ahead', () =>
    expect(planAhead(fold(subscriptionDecider, [upgraded('free', 'pro', may)]), noon)).toEqual({
      plan: 'pro',
      effectiveAt: may,
    }));
});

describe('a payment', () => {
  const payment = { workspaceId, invoiceId: 'in_1', amountCents: 2900, currency: 'usd' };
  const pay: SubscriptionCommand = { ...stamp, type: 'RecordPayment', ...payment, outcome: 'succeeded' };
  const fail: SubscriptionCommand = {
    ...stamp,
    type: 'RecordPayment',
    ...payment,
    outcome: 'failed',
    reason: 'card declined',
  };
  const paid: SubscriptionEvent = { type: 'PaymentSucceeded', data: payment };
  const failed: SubscriptionEvent = { type: 'PaymentFailed', data: { ...payment, reason: 'card declined' } };
  it('counts once per invoice', () => {
    given().when(pay).then(paid);
    given(paid).when(pay).then();
  });
  it('counts once per outcome', () => {
    given().when(fail).then(failed);
    given(failed).when(fail).then();
    given(failed).when(pay).then(paid);
  });
  it('leaves what was known before it as it was', () => {
    for (const event of [paid, failed]) {
      fold(subscriptionDecider, [event]);
      expect(allEntries(subscriptionDecider.initial.payments)).toEqual([]);
    }
  });
  it('is known as it was recorded', () => {
    const { payments } = fold(subscriptionDecider, [failed, paid]);
    expect(Object.fromEntries(allEntries(payments))).toEqual({
      'failed in_1': { amountCents: 2900, currency: 'usd', reason: 'card declined' },
      'succeeded in_1': { amountCents: 2900, currency: 'usd', reason: null },
    });
  });
});
