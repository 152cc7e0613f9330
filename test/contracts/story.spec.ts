import type { RecordedEvent } from '#event-store';
import { decide, fold, instant, plus, type Instant } from '#kernel';
import { postDecider, type Outcome, type PostCommand, type PostEvent } from '#publishing';
import { AT, delivered, recorded } from './recorded';

// One post from its command to the bodies: three destinations, two of them on one platform, a network that fails twice and
// then publishes, one that refuses for good, and two retries by hand.

type Wish = PostCommand extends infer C ? (C extends PostCommand ? Omit<C, 'at' | 'actor'> : never) : never;

/** Sends commands one after the other, each `later` milliseconds after the one before; the events as the log holds them. */
function story(...steps: readonly (readonly [wish: Wish, later?: number])[]): readonly RecordedEvent[] {
  const events: PostEvent[] = [];
  let at: Instant = instant(AT);
  for (const [wish, later = 0] of steps) {
    at = plus(at, later);
    const command = { ...wish, at, actor: 'usr_1' } as PostCommand;
    events.push(...decide(postDecider, command, fold(postDecider, events)));
  }
  return events.map(({ type, data }, index) => recorded(type, data as never, { n: index + 1 }));
}

const retryDelaysMs = [60_000, 300_000];
const report = (destinationId: string, outcome: Outcome): Wish => ({
  type: 'ReportOutcome',
  destinationId,
  attempt: null,
  outcome,
  retryDelaysMs,
});
const published = (destinationId: string): Wish =>
  report(destinationId, {
    ok: true,
    platformPostId: `post of ${destinationId}`,
    url: `https://example.com/${destinationId}`,
  });
const refused = (destinationId: string, retryable = false): Wish =>
  report(destinationId, { ok: false, errorCode: 'token_expired', error: 'Token expired', retryable });
const due = (destinationId: string, attempt: number): Wish => ({ type: 'MarkDestinationDue', destinationId, attempt });

const schedule: Wish = {
  type: 'SchedulePost',
  postId: 'pst_1',
  profileId: 'prof_1',
  content: { text: 'Hello', mediaIds: [] },
  destinations: [
    { id: 'dst_1', accountId: 'acct_1', platform: 'instagram' },
    { id: 'dst_2', accountId: 'acct_2', platform: 'linkedin' },
    { id: 'dst_3', accountId: 'acct_3', platform: 'instagram' },
  ],
  scheduledAt: null,
  campaignId: null,
};
const firstRound = [
  [schedule],
  [{ type: 'MarkPostDue' }],
  [published('dst_1')],
  [refused('dst_2', true)],
  [refused('dst_3')],
  [due('dst_2', 2), 60_000],
  [refused('dst_2', true)],
  [due('dst_2', 3), 300_000],
  [refused('dst_2', true)],
] as const satisfies readonly (readonly [Wish, number?])[];
const retry = (...destinationIds: string[]): Wish => ({ type: 'RetryPost', destinationIds });

const told = (contract: string, events: readonly RecordedEvent[]) =>
  delivered(contract, events).map(({ type, body }) => {
    const { data, payload } = JSON.parse(body) as { data?: Record<string, unknown>; payload?: Record<string, unknown> };
    return { type, ...(data ?? payload) };
  });
const types = (contract: string, events: readonly RecordedEvent[]) => told(contract, events).map(({ type }) => type);

describe('the first round', () => {
  const events = story(...firstRound);

  it('is told by core as it went, and a failure only after the last retry', () =>
    expect(types('core', events)).toEqual([
      'post.scheduled',
      'post.destination_published',
      'post.destination_failed',
      'post.destination_failed',
      'post.partial',
    ]));

  it('gives both accounts of one platform their result', () =>
    expect(told('core', events).at(-1)).toEqual({
      type: 'post.partial',
      postId: 'pst_1',
      published: 1,
      failed: 2,
      total: 3,
      platformResults: {
        instagram: { ok: true, platformPostId: 'post of dst_1' },
        linkedin: { ok: false, error: 'Token expired' },
        'instagram:acct_3': { ok: false, error: 'Token expired' },
      },
    }));

  it('is a success to post-ez, for one platform did publish', () =>
    expect(types('post-ez', events)).toEqual(['schedule.created', 'post.published']));

  it('is told per destination by posteverywhere, and the failures once', () =>
    expect(told('posteverywhere', events)).toMatchObject([
      { type: 'post.published', destinationId: 'dst_1' },
      { type: 'post.failed', published: 1, total: 3, failed: [{ destinationId: 'dst_2' }, { destinationId: 'dst_3' }] },
    ]));

  it('is told by postiz per distinct platform when queued, then per destination', () =>
    expect(told('postiz', events)).toMatchObject([
      { type: 'PostScheduled', platform: 'instagram' },
      { type: 'PostScheduled', platform: 'linkedin' },
      { type: 'PostPublished', platform: 'instagram' },
      { type: 'PostFailed', platform: 'instagram' },
      { type: 'PostFailed', platform: 'linkedin', error_message: 'Token expired' },
    ]));

  it('tells publishers of each attempt, on the bus alone', () => {
    expect(types('core', events)).not.toContain('post.destination_due');
    expect(events.filter(({ type }) => type === 'DestinationDue')).toHaveLength(5);
  });
});

describe('a retry that succeeds while another destination stays failed', () => {
  const before = story(...firstRound);
  const events = story(...firstRound, [retry('dst_2')], [published('dst_2')]).slice(before.length);

  it('settles again in core, with the counts of the whole post', () =>
    expect(told('core', events)).toMatchObject([
      { type: 'post.destination_published', destinationId: 'dst_2' },
      { type: 'post.partial', published: 2, failed: 1, total: 3 },
    ]));

  it('is announced by posteverywhere and postiz for the retried destination only', () => {
    expect(told('posteverywhere', events)).toMatchObject([{ type: 'post.published', destinationId: 'dst_2' }]);
    expect(types('posteverywhere', events)).toHaveLength(1);
    expect(types('postiz', events)).toEqual(['PostPublished']);
  });

  it('has new ids', () => {
    const ids = [...delivered('core', before), ...delivered('core', events)].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

it('says of a retry that fails again only what failed in it', () => {
  const before = story(...firstRound);
  const events = story(...firstRound, [retry('dst_3')], [refused('dst_3')]).slice(before.length);
  expect(told('posteverywhere', events)).toEqual([
    {
      type: 'post.failed',
      postId: 'pst_1',
      published: 1,
      total: 3,
      failed: [{ destinationId: 'dst_3', platform: 'instagram', error: 'Token expired' }],
    },
  ]);
});

it('says published to everybody when the last failure is repaired', () => {
  const before = story(...firstRound);
  const events = story(...firstRound, [retry()], [published('dst_2')], [published('dst_3')]).slice(before.length);
  expect(told('core', events).at(-1)).toEqual({
    type: 'post.published',
    postId: 'pst_1',
    published: 3,
    failed: 0,
    total: 3,
  });
  expect(types('post-ez', events)).toEqual(['post.published']);
  expect(types('posteverywhere', events)).toEqual(['post.published', 'post.published']);
});
