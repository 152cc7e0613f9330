import type { Instant } from '#kernel';
import { DELIVERY_STATUSES } from '#read-models';
import { Decimal, Flag, Id, OneOf, Text, TextList, Time } from '../http/fields';
import { PageQuery } from '../http/page.query';

const MAX_PATTERNS = 200;
const MAX_RATE = 100_000;
/** A month: an old secret that signs for longer has not been rotated. */
const MAX_OVERLAP_HOURS = 720;

const patterns = {
  min: 1,
  max: MAX_PATTERNS,
  length: 200,
  unique: true,
  description: 'Exact names, `*` suffixes, or `*`',
  example: ['post.*'],
};
const rate = { min: 0.01, max: MAX_RATE, optional: true, nullable: true, description: 'At most so many a second' };

export class RegisterEndpoint {
  @Id('whe', { optional: true })
  id?: string;

  @Text({ max: 2_048, example: 'https://example.com/hooks' })
  targetUrl!: string;

  @TextList(patterns)
  eventTypes!: string[];

  @Text({ max: 100, optional: true, description: 'core unless said otherwise', example: 'core' })
  contract?: string;

  @Text({ min: 0, max: 1_000, optional: true, nullable: true })
  description?: string | null;

  @Flag({ optional: true, description: 'Deliveries about one entity keep the order of the log' })
  ordered?: boolean;

  @Decimal(rate)
  rateLimitPerSecond?: number | null;

  @Flag({
    optional: true,
    description: 'After an outage, of types that tell a state only the newest per entity is sent',
  })
  latestOnly?: boolean;

  @Text({
    max: 100,
    optional: true,
    nullable: true,
    description: '`now`, a time, or an event id: begins there, from the log; at a time to come, now',
  })
  startFrom?: string | null;
}

export class UpdateEndpoint {
  @Text({ max: 2_048, optional: true })
  targetUrl?: string;

  @TextList({ ...patterns, optional: true })
  eventTypes?: string[];

  @Text({ min: 0, max: 1_000, optional: true, nullable: true })
  description?: string | null;

  @Flag({ optional: true })
  ordered?: boolean;

  @Decimal(rate)
  rateLimitPerSecond?: number | null;

  @Flag({ optional: true })
  latestOnly?: boolean;
}

export class RotateSecret {
  @Decimal({
    min: 0,
    max: MAX_OVERLAP_HOURS,
    optional: true,
    description: 'How long the secret before it signs too; 24 unless said otherwise, 0 ends it now',
  })
  overlapHours?: number;
}

export class TestEndpoint {
  @Text({ max: 200, optional: true, description: 'webhook.test unless said otherwise' })
  type?: string;
}

export class ReplayDeliveries {
  @Time({ description: 'Inclusive' })
  since!: Instant;

  @Time({ optional: true, nullable: true, description: 'Exclusive; now unless said otherwise' })
  until?: Instant | null;

  @OneOf(DELIVERY_STATUSES, { optional: true, nullable: true })
  status?: string | null;
}

export class EndpointsQuery extends PageQuery {
  @OneOf(['enabled', 'disabled'], { optional: true })
  status?: string;

  @Text({ max: 100, optional: true })
  contract?: string;
}
