import type { Instant } from '#kernel';
import { DELIVERY_STATUSES, type DeliveryStatus } from '#read-models';
import { Id, OneOf, Text, TimeText, WholeText } from '../http/fields';
import { PageQuery } from '../http/page.query';
import {
  answer,
  erased,
  list,
  nullable,
  object,
  oneOf,
  pageOf,
  type Schema,
  text,
  time,
  whole,
} from '../openapi/schema';

export class DeliveriesInput extends PageQuery {
  @Id('whe', { optional: true })
  endpointId?: string;

  @OneOf(DELIVERY_STATUSES, { optional: true })
  status?: DeliveryStatus;

  @Text({ max: 200, optional: true, description: "In the contract's own words" })
  type?: string;

  @TimeText({ optional: true, description: 'On createdAt, inclusive' })
  from?: Instant;

  @TimeText({ optional: true, description: 'On createdAt, exclusive' })
  to?: Instant;
}

export class FeedQuery extends PageQuery {
  @WholeText({ optional: true, description: 'The last sequence number that was seen' })
  after?: number;
}

const delivery: Readonly<Record<string, Schema>> = {
  id: text,
  endpointId: text,
  eventId: text,
  type: text,
  sequence: whole,
  status: oneOf(...DELIVERY_STATUSES),
  'reason?': text,
  createdAt: time,
  'nextAttemptAt?': time,
};
const attempt = object({
  number: whole,
  at: time,
  durationMs: whole,
  'statusCode?': whole,
  'error?': text,
  'response?': text,
});

export const deliveryAnswer = answer('Delivery', 'A delivery', object(delivery));
export const deliveryPage = pageOf(deliveryAnswer);
export const deliveryDetailAnswer = answer(
  'DeliveryDetail',
  'The delivery with its body and every attempt',
  object({ ...delivery, body: text, attempts: list(attempt), ...erased }),
);
export const feedAnswer = answer(
  'DeliveryFeed',
  'What the subscriber should have received, as far back as deliveries are kept, in order, signed now',
  object({
    data: list(
      object({
        sequence: whole,
        id: text,
        type: text,
        createdAt: { ...time, description: 'Of the delivery, as in its list; when it happened is in the body' },
        headers: { type: 'object', additionalProperties: text },
        body: text,
        ...erased,
      }),
    ),
    nextCursor: nullable(text),
  }),
);
export const jobAnswer = answer(
  'Job',
  'How far the job is',
  object({ status: oneOf('running', 'done', 'failed'), total: whole, done: whole, 'error?': text }),
);
