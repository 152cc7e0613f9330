import { errorsOf } from '#kernel';

/** Absence of a payment: only a read can meet it. */
export const paymentErrors = {
  PAYMENT_NOT_FOUND: ['not-found', 'There is no such payment.'],
} as const;

export const fail = errorsOf(paymentErrors);
