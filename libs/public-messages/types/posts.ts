import { Type } from '@sinclair/typebox';
import { coreType, count, id, list, personal, platform, shape, text, time } from '../core-type';

/** What `post.partial` and `post.failed` carry for contracts that announce destinations: those that failed in this round. */
export interface SettledFacts {
  readonly published: number;
  readonly total: number;
  readonly failed: readonly { readonly destinationId: string; readonly platform: string; readonly error: string }[];
}

const counts = { postId: id('pst'), published: count(), failed: count(), total: count() };

/** `instagram` for the first destination on a platform, `instagram:<accountId>` for each further one (CONTRACTS §2). */
const platformResults = () =>
  Type.Record(
    Type.String({ pattern: '^[a-z][a-z0-9_]{1,31}(:.+)?$' }),
    Type.Union([
      shape({ ok: Type.Literal(true), platformPostId: text() }),
      shape({ ok: Type.Literal(false), error: text('A sentence') }),
    ]),
    {
      additionalProperties: false,
      description: 'Outcome per platform; a second account on one platform is `<platform>:<accountId>`',
    },
  );

const destination = { postId: id('pst'), destinationId: id('dst'), accountId: id('acct'), platform: platform() };

export const posts = {
  'post.scheduled': coreType({
    topic: 'posts',
    description: 'A post was queued for publishing.',
    data: shape({ postId: id('pst'), scheduledAt: time(), platforms: list(platform()), profileId: text() }),
    example: {
      postId: 'pst_abc123',
      scheduledAt: '2026-04-23T09:00:00.000Z',
      platforms: ['instagram', 'twitter'],
      profileId: 'prof_xyz',
    },
    exampleKey: 'pst_abc123',
  }),
  'post.rescheduled': coreType({
    topic: 'posts',
    description: 'A post that was not yet due got another time.',
    data: shape({ postId: id('pst'), scheduledAt: time(), profileId: text() }),
    example: { postId: 'pst_abc123', scheduledAt: '2026-04-24T09:00:00.000Z', profileId: 'prof_xyz' },
    exampleKey: 'pst_abc123',
  }),
  'post.cancelled': coreType({
    topic: 'posts',
    description: 'A post was called off before it was due.',
    data: shape({ postId: id('pst'), reason: personal(), profileId: text() }),
    example: { postId: 'pst_abc123', reason: 'The campaign moved', profileId: 'prof_xyz' },
    exampleKey: 'pst_abc123',
  }),
  'post.published': coreType({
    topic: 'posts',
    description: 'A post settled and was published on every destination.',
    data: shape(counts),
    example: { postId: 'pst_abc123', published: 1, failed: 0, total: 1 },
    exampleKey: 'pst_abc123',
  }),
  'post.partial': coreType({
    topic: 'posts',
    description: 'A post settled: published on at least one destination, failed for good on at least one.',
    data: shape({ ...counts, platformResults: platformResults() }),
    example: {
      postId: 'pst_abc123',
      published: 1,
      failed: 1,
      total: 2,
      platformResults: {
        instagram: { ok: true, platformPostId: '17854321000123456' },
        linkedin: { ok: false, error: 'Token expired — reconnect your account' },
      },
    },
    facts: {
      published: 1,
      total: 2,
      failed: [{ destinationId: 'dst_2', platform: 'linkedin', error: 'Token expired — reconnect your account' }],
    } satisfies SettledFacts,
    exampleKey: 'pst_abc123',
  }),
  'post.failed': coreType({
    topic: 'posts',
    description: 'A post settled and failed on every destination, after every retry.',
    data: shape({ postId: id('pst'), reason: text(), platformResults: platformResults() }),
    example: {
      postId: 'pst_abc123',
      reason: 'All platforms rejected the post',
      platformResults: {
        instagram: { ok: false, error: 'Media aspect ratio not supported' },
        twitter: { ok: false, error: 'Duplicate content' },
      },
    },
    facts: {
      published: 0,
      total: 2,
      failed: [
        { destinationId: 'dst_1', platform: 'instagram', error: 'Media aspect ratio not supported' },
        { destinationId: 'dst_2', platform: 'twitter', error: 'Duplicate content' },
      ],
    } satisfies SettledFacts,
    exampleKey: 'pst_abc123',
  }),
  'post.destination_published': coreType({
    topic: 'posts',
    description: 'One destination of a post was published.',
    data: shape({ ...destination, url: text(), platformPostId: text() }),
    example: {
      postId: 'pst_abc123',
      destinationId: 'dst_1',
      accountId: 'acct_111',
      platform: 'instagram',
      url: 'https://instagram.com/p/C6abc',
      platformPostId: '17854321000123456',
    },
    exampleKey: 'pst_abc123',
  }),
  'post.destination_failed': coreType({
    topic: 'posts',
    description: 'One destination of a post failed for good, after every retry.',
    data: shape({ ...destination, error: text('A sentence'), errorCode: text(), attempts: count() }),
    example: {
      postId: 'pst_abc123',
      destinationId: 'dst_2',
      accountId: 'acct_2',
      platform: 'linkedin',
      error: 'Token expired — reconnect your account',
      errorCode: 'token_expired',
      attempts: 1,
    },
    exampleKey: 'pst_abc123',
  }),
};

/** Not a webhook: what a publisher takes from the bus. */
export const publishing = {
  'post.destination_due': coreType({
    topic: 'publishing',
    description: 'A destination of a post is to be published now. For publishers on the bus; never a webhook.',
    data: shape({
      ...destination,
      attempt: Type.Integer({ minimum: 1, description: 'Counted from 1; report the outcome with it' }),
      content: shape({ text: personal(), mediaIds: list(id('med')) }),
    }),
    example: {
      postId: 'pst_abc123',
      destinationId: 'dst_1',
      accountId: 'acct_111',
      platform: 'instagram',
      attempt: 1,
      content: { text: 'Tonight at eight.', mediaIds: [] },
    },
    exampleKey: 'pst_abc123',
  }),
};
