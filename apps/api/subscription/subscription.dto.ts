import type { Instant } from '#kernel';
import { PLANS, type Plan } from '#workspace';
import { OneOf, Pattern, Text, Time, Whole } from '../http/fields';
import { PageQuery } from '../http/page.query';
import { answer, erased, nullable, object, oneOf, pageOf, personal, text, time, whole } from '../openapi/schema';

const OUTCOMES = ['succeeded', 'failed'] as const;

export class ChangePlan {
  @OneOf(PLANS)
  plan!: Plan;

  @Time({ optional: true, nullable: true, description: 'Now unless said otherwise' })
  effectiveAt?: Instant | null;
}

export class CancelSubscription {
  @Time({ optional: true, nullable: true, description: 'Now unless said otherwise' })
  effectiveAt?: Instant | null;
}

export class RecordPayment {
  @Text({ max: 200, example: 'in_2026_04' })
  invoiceId!: string;

  @Whole({ example: 4900 })
  amountCents!: number;

  @Pattern(/^[A-Za-z]{3}$/, 'a currency such as EUR', { example: 'EUR' })
  currency!: string;

  @OneOf(OUTCOMES)
  outcome!: 'succeeded' | 'failed';

  @Text({ max: 500, optional: true, nullable: true, description: 'Why it failed' })
  reason?: string | null;
}

export class PaymentsQuery extends PageQuery {
  @OneOf(OUTCOMES, { optional: true })
  outcome?: string;
}

const plan = oneOf(...PLANS);
export const subscriptionAnswer = answer(
  'Subscription',
  'The plan in force, and the change that is announced',
  object({ plan, upcoming: nullable(object({ plan, effectiveAt: time })) }),
);
export const paymentAnswer = answer(
  'Payment',
  'What became of the invoice',
  object({
    invoiceId: text,
    amountCents: whole,
    currency: text,
    outcome: oneOf(...OUTCOMES),
    'reason?': personal,
    ...erased,
  }),
);
export const paymentPage = pageOf(paymentAnswer);
