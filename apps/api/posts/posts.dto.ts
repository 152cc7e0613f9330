import type { Instant } from '#kernel';
import type { DestinationStatus, PostStatus } from '#publishing';
import {
  Flag,
  Id,
  IdList,
  Nested,
  NestedList,
  OneOf,
  Pattern,
  Reference,
  Text,
  Time,
  TimeText,
  WebUrl,
  Whole,
  wordsOf,
} from '../http/fields';
import { PageQuery } from '../http/page.query';

/** Names of networks: API.md. */
export const PLATFORM = /^[a-z][a-z0-9_]{1,31}$/;
export const POST_STATUSES = wordsOf<PostStatus>({
  scheduled: true,
  publishing: true,
  published: true,
  partial: true,
  failed: true,
  cancelled: true,
});
export const DESTINATION_STATUSES = wordsOf<DestinationStatus>({
  pending: true,
  publishing: true,
  published: true,
  failed: true,
});

const MAX_TEXT = 10_000;
const MAX_DESTINATIONS = 50;

export class PostContent {
  @Text({ min: 0, max: MAX_TEXT, example: 'We are live.', description: 'Empty where the media say it all' })
  text!: string;

  @IdList('med', { optional: true, max: 100 })
  mediaIds?: string[];
}

export class PostDestination {
  @Id('acct', { example: 'acct_1' })
  accountId!: string;

  @Pattern(PLATFORM, 'a lower-case name such as instagram', { example: 'instagram' })
  platform!: string;
}

export class SchedulePost {
  @Id('pst', { optional: true })
  id?: string;

  @Reference({ example: 'prof_1' })
  profileId!: string;

  @Nested(() => PostContent)
  content!: PostContent;

  @NestedList(() => PostDestination, { min: 1, max: MAX_DESTINATIONS, distinct: 'accountId' })
  destinations!: PostDestination[];

  @Time({ optional: true, nullable: true, description: 'Without it the post is due at once' })
  scheduledAt?: Instant | null;

  @Id('cmp', { optional: true, nullable: true })
  campaignId?: string | null;
}

export class ReschedulePost {
  @Time()
  scheduledAt!: Instant;
}

export class CancelPost {
  @Text({ max: 2_000, optional: true, nullable: true })
  reason?: string | null;
}

export class RetryPost {
  @IdList('dst', { optional: true, max: MAX_DESTINATIONS, description: 'All that failed when none is named' })
  destinationIds?: string[];
}

export class OutcomeError {
  @Text({ max: 200, example: 'token_expired' })
  code!: string;

  @Text({ max: 2_000, example: 'Token expired' })
  message!: string;
}

type Fields = Readonly<Record<string, unknown>>;
const OUTCOMES = ['published', 'failed'] as const;
const when =
  (outcome: (typeof OUTCOMES)[number]) =>
  (it: Fields): boolean | undefined =>
    OUTCOMES.some((known) => known === it['outcome']) ? it['outcome'] === outcome : undefined;
const isPublished = when('published');
const isFailed = when('failed');

export class ReportOutcome {
  @OneOf(OUTCOMES)
  outcome!: (typeof OUTCOMES)[number];

  @Text({ max: 500, optional: true, description: 'With published', needed: isPublished })
  platformPostId?: string;

  @WebUrl({ optional: true, description: 'With published', needed: isPublished })
  url?: string;

  @Nested(() => OutcomeError, { optional: true, description: 'With failed', needed: isFailed })
  error?: OutcomeError;

  @Flag({ optional: true, description: 'With failed: whether another attempt may help', needed: isFailed })
  retryable?: boolean;

  @Whole({ min: 1, max: 1_000_000, optional: true, description: 'Without it the present attempt' })
  attempt?: number;
}

export class PostsQuery extends PageQuery {
  @OneOf(POST_STATUSES, { optional: true })
  status?: string;

  @Reference({ optional: true })
  profileId?: string;

  @Id('cmp', { optional: true })
  campaignId?: string;

  @Pattern(PLATFORM, 'a lower-case name such as instagram', { optional: true })
  platform?: string;

  @TimeText({ optional: true, description: 'On scheduledAt, inclusive' })
  from?: string;

  @TimeText({ optional: true, description: 'On scheduledAt, exclusive' })
  to?: string;
}
