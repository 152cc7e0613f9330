import { Body, Param, Query } from '@nestjs/common';
import { entry, instant } from '#kernel';
import {
  presentSubscription,
  subscriptionView,
  type Page,
  type PaymentView,
  type SubscriptionView,
} from '#read-models';
import {
  paymentKey,
  paymentRevision,
  planRevision,
  subscriptionAggregate,
  type Subscription,
  type SubscriptionCommand,
} from '#workspace';
import { Commands, type Asked } from '../commands/commands';
import { Parts } from '../commands/parts';
import { TheCall, type Call } from '../http/call';
import { RevisionQuery } from '../http/page.query';
import { ApiController, Read } from '../http/routes';
import { Command, ReadOne } from '../http/thing-routes';
import { Things } from '../reads/things';
import {
  CancelSubscription,
  ChangePlan,
  paymentAnswer,
  paymentPage,
  PaymentsQuery,
  RecordPayment,
  subscriptionAnswer,
} from './subscription.dto';
import { fail } from './payment.errors';

/** A workspace has one subscription, whose stream has the workspace's id; it is there from the beginning, and free. */
@ApiController('subscription', 'Billing')
export class SubscriptionController {
  constructor(
    private readonly commands: Commands,
    private readonly parts: Parts,
    private readonly things: Things,
  ) {}

  @Read('', {
    scope: 'read',
    query: RevisionQuery,
    answer: subscriptionAnswer,
    tagged: true,
    errors: ['READ_MODEL_BEHIND'],
    summary: 'The plan in force',
  })
  async get(@Query() { minRevision = -1 }: RevisionQuery, @TheCall() call: Call): Promise<SubscriptionView> {
    // From the log: it is short, there before its first event, and one never reads less than one wrote.
    let subscription = await this.load(call);
    if (planRevision(subscription) < minRevision) {
      await this.things.seen(subscriptionView, call, call.workspace, minRevision);
      subscription = await this.load(call);
    }
    call.revision(planRevision(subscription));
    return presentSubscription(subscription, call.at);
  }

  @Command('plan', {
    body: ChangePlan,
    answer: subscriptionAnswer,
    errors: ['PLAN_UNCHANGED'],
    summary: 'Change the plan',
  })
  changePlan(@Body() { plan, effectiveAt = null }: ChangePlan, @TheCall() call: Call): Promise<SubscriptionView> {
    return this.run({ type: 'ChangePlan', workspaceId: call.workspace, plan, effectiveAt }, call);
  }

  @Command('cancel', {
    body: CancelSubscription,
    answer: subscriptionAnswer,
    errors: ['SUBSCRIPTION_NOT_ACTIVE'],
    summary: 'Go back to free',
  })
  cancel(@Body() { effectiveAt = null }: CancelSubscription, @TheCall() call: Call): Promise<SubscriptionView> {
    return this.run({ type: 'CancelSubscription', workspaceId: call.workspace, effectiveAt }, call);
  }

  @Command('payments', {
    body: RecordPayment,
    answer: paymentAnswer,
    summary: 'Record what became of an invoice; it counts once per outcome',
  })
  async pay(@Body() body: RecordPayment, @TheCall() call: Call): Promise<PaymentView> {
    const { invoiceId, amountCents, currency, outcome, reason = null } = body;
    const payment = { workspaceId: call.workspace, invoiceId, amountCents, currency } as const;
    const command =
      outcome === 'succeeded'
        ? ({ type: 'RecordPayment', ...payment, outcome } as const)
        : ({ type: 'RecordPayment', ...payment, outcome, reason } as const);
    const revisionIn = (subscription: Subscription) => paymentRevision(subscription, invoiceId);
    const { payments } = (await this.parts.run(subscriptionAggregate, revisionIn, command, call)).state;
    // Repeated with other figures it has no effect: the answer is what counts.
    const counted = entry(payments, paymentKey(outcome, invoiceId))!;
    return {
      invoiceId,
      amountCents: counted.amountCents,
      currency: counted.currency,
      outcome,
      ...(counted.reason !== null && { reason: counted.reason }),
    };
  }

  @Read('payments', {
    scope: 'read',
    query: PaymentsQuery,
    answer: paymentPage,
    summary: 'List payments, newest first',
  })
  payments(@Query() query: PaymentsQuery, @TheCall() call: Call): Promise<Page<PaymentView>> {
    return this.things.list(this.things.models.payments, { ...query }, call);
  }

  @ReadOne('payments/:invoiceId', { answer: paymentAnswer, absent: 'PAYMENT_NOT_FOUND', summary: 'One payment' })
  payment(
    @Param('invoiceId') invoiceId: string,
    @Query() { minRevision }: RevisionQuery,
    @TheCall() call: Call,
  ): Promise<PaymentView> {
    const absent = () => fail('PAYMENT_NOT_FOUND');
    return this.things.get(this.things.models.payments, invoiceId, absent, call, minRevision);
  }

  private async load({ workspace }: Call): Promise<Subscription> {
    return (await this.commands.load(subscriptionAggregate, workspace, workspace)).state;
  }

  private async run(asked: Asked<SubscriptionCommand>, call: Call): Promise<SubscriptionView> {
    const { state, events } = await this.parts.run(subscriptionAggregate, planRevision, asked, call);
    // Found again under its Idempotency-Key, it stands as it did then.
    return presentSubscription(state, instant(events[0]?.metadata.occurredAt ?? call.at));
  }
}
