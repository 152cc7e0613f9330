import type { Personal } from '#kernel';
import type { SubscriptionEvent } from '#workspace';
import type { KeyedView } from '../keyed/keyed-view';

/** What became of an invoice: its newest outcome. */
export interface PaymentView {
  readonly invoiceId: string;
  readonly amountCents: number;
  readonly currency: string;
  readonly outcome: 'succeeded' | 'failed';
  /** Only of a failure that gave one. */
  readonly reason?: Personal;
}

type PaymentEvent = Extract<SubscriptionEvent, { type: 'PaymentSucceeded' | 'PaymentFailed' }>;

/** A payment as it is answered, from its event. */
export function presentPayment({ type, data }: PaymentEvent): PaymentView {
  const { invoiceId, amountCents, currency } = data;
  switch (type) {
    case 'PaymentSucceeded':
      return { invoiceId, amountCents, currency, outcome: 'succeeded' };
    case 'PaymentFailed':
      return {
        invoiceId,
        amountCents,
        currency,
        outcome: 'failed',
        ...(data.reason !== null && { reason: data.reason }),
      };
  }
}

/** A subscription's stream, by invoice. */
export const paymentsView: KeyedView<PaymentView, PaymentView> = {
  name: 'payments',
  shape: 2,
  category: 'subscription',
  isDivided: true,
  keys: ({ type, data }) =>
    type === 'PaymentSucceeded' || type === 'PaymentFailed' ? [(data as { invoiceId: string }).invoiceId] : [],
  evolve: (_, event) => presentPayment(event as unknown as PaymentEvent),
  columns: { outcome: { type: 'text', of: ({ outcome }) => outcome } },
  filters: { outcome: { column: 'outcome', how: 'is' } },
  present: (payment) => payment,
};
