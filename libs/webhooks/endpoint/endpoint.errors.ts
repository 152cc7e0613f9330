import { ensureOf, errorsOf } from '#kernel';

export const endpointErrors = {
  ENDPOINT_ALREADY_EXISTS: ['conflict', 'A webhook endpoint with this id exists already, or did.'],
  ENDPOINT_DISABLED: ['conflict', 'The webhook endpoint is disabled or deleted: nothing is sent to it.'],
  ENDPOINT_NOT_FOUND: ['not-found', 'There is no such webhook endpoint.'],
  SECRETS_OVERLAP: [
    'conflict',
    'Ten secrets of the webhook endpoint sign at present: end the former ones with overlapHours 0, or wait until one has ended.',
  ],
} as const;

export const fail = errorsOf(endpointErrors);
export const ensure: ReturnType<typeof ensureOf<typeof endpointErrors>> = ensureOf(endpointErrors);
