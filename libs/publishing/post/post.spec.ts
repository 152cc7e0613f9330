import { instant, plus, type DataOf, type Instant } from '#kernel';
import { scenariosOf } from '#testing';
import type { Outcome, PostCommand } from './post.commands';
import { postDecider } from './post.decider';
import type { PostEvent, SettledDestination } from './post.events';

const { given } = scenariosOf(postDecider);

const noon = instant('2026-04-22T12:00:00.000Z');
const two = instant('2026-04-22T14:00:00.000Z');
const postId = 'pst_1';
const content = { text: 'Bonjour', mediaIds: ['med_1'] };
const instagram = { id: 'dst_1', accountId: 'acct_1', platform: 'instagram' };
const linkedin = { id: 'dst_2', accountId: 'acct_2', platform: 'linkedin' };
const retryDelaysMs = [60_000, 300_000];

const on = ({ id: destinationId, accountId, platform }: typeof instagram) => ({
  postId,
  destinationId,
  accountId,
  platform,
});
const ok: Outcome = { ok: true, platformPostId: '178', url: 'https://instagram.example/p/178' };
const refused: Outcome = { ok: false, errorCode: 'token_expired', error: 'Token expired', retryable: false };
const hiccup: Outcome = { ok: false, errorCode: 'rate_limited', error: 'Slow down', retryable: true };

const schedule = (change: Partial<Extract<PostCommand, { type: 'SchedulePost' }>> = {}): PostCommand => ({
  type: 'SchedulePost',
  at: noon,
  actor: 'usr_1',
  postId,
  profileId: 'prof_1',
  content,
  destinations: [instagram, linkedin],
  scheduledAt: two,
  campaignId: 'cmp_1',
  ...change,
});
const reschedule = (scheduledAt: Instant): PostCommand => ({
  type: 'ReschedulePost',
  at: noon,
  actor: 'usr_1',
  scheduledAt,
});
const cancel: PostCommand = { type: 'CancelPost', at: noon, actor: 'usr_1', reason: 'Not now' };
const dueAt = (at: Instant): PostCommand => ({ type: 'MarkPostDue', at, actor: 'system' });
const report = (
  outcome: Outcome,
  destination = instagram,
  { at = two, attempt = null as number | null } = {},
): PostCommand => ({
  type: 'ReportOutcome',
  at,
  actor: 'key_1',
  destinationId: destination.id,
  attempt,
  outcome,
  retryDelaysMs,
});
const retry = (...destinationIds: string[]): PostCommand => ({
  type: 'RetryPost',
  at: two,
  actor: 'usr_1',
  destinationIds,
});
const tryAgain = (attempt: number, at: Instant): PostCommand => ({
  type: 'MarkDestinationDue',
  at,
  actor: 'system',
  destinationId: instagram.id,
  attempt,
});

const scheduledData: DataOf<PostEvent, 'PostScheduled'> = {
  postId,
  profileId: 'prof_1',
  content,
  destinations: [instagram, linkedin],
  scheduledAt: two,
  campaignId: 'cmp_1',
};
const scheduled: PostEvent = { type: 'PostScheduled', data: scheduledData };
const cancelled: PostEvent = {
  type: 'PostCancelled',
  data: { postId, profileId: 'prof_1', reason: 'Not now', campaignId: 'cmp_1' },
};
const begun: PostEvent = { type: 'PostPublishingStarted', data: { postId } };
const due = (destination: typeof instagram, attempt = 1): PostEvent => ({
  type: 'DestinationDue',
  data: { ...on(destination), attempt, content },
});
const started: PostEvent[] = [scheduled, begun, due(instagram), due(linkedin)];
const publishedOn = (destination: typeof instagram, attempt = 1): PostEvent => ({
  type: 'DestinationPublished',
  data: { ...on(destination), attempt, platformPostId: '178', url: 'https://instagram.example/p/178' },
});
const refusedOn = (destination: typeof instagram, attempts = 1): PostEvent => ({
  type: 'DestinationFailed',
  data: { ...on(destination), attempts, error: 'Token expired', errorCode: 'token_expired', retryable: false },
});
const stumbled = (attempt: number, retryAt: Instant): PostEvent => ({
  type: 'DestinationAttemptFailed',
  data: { ...on(instagram), attempt, error: 'Slow down', errorCode: 'rate_limited', retryAt },
});
const well = ({ id: destinationId, accountId, platform }: typeof instagram, thisRound = true): SettledDestination => ({
  destinationId,
  accountId,
  platform,
  thisRound,
  ok: true,
  platformPostId: '178',
  url: 'https://instagram.example/p/178',
});
const badly = ({ id: destinationId, accountId, platform }: typeof instagram, thisRound = true): SettledDestination => ({
  destinationId,
  accountId,
  platform,
  thisRound,
  ok: false,
  error: 'Token expired',
  errorCode: 'token_expired',
});
const settled = (
  type: 'PostPublished' | 'PostPartiallyPublished' | 'PostFailed',
  outcomes: SettledDestination[],
  round = 1,
): PostEvent => {
  const published = outcomes.filter(({ ok: isOk }) => isOk).length;
  const data = {
    postId,
    campaignId: 'cmp_1',
    published,
    failed: outcomes.length - published,
    total: outcomes.length,
    round,
    outcomes,
  };
  return { type, data };
};
const partial: PostEvent[] = [
  ...started,
  publishedOn(instagram),
  refusedOn(linkedin),
  settled('PostPartiallyPublished', [well(instagram), badly(linkedin)]),
];
const failedAll: PostEvent[] = [
  ...started,
  refusedOn(instagram),
  refusedOn(linkedin),
  settled('PostFailed', [badly(instagram), badly(linkedin)]),
];
const retried = (round: number, ...destinationIds: string[]): PostEvent => ({
  type: 'PostRetried',
  data: { postId, campaignId: scheduledData.campaignId, destinationIds, round },
});

describe('scheduling a post', () => {
  it('appends one event', () => given().when(schedule()).then(scheduled));
  it('takes the time of the call when none is asked for', () =>
    given()
      .when(schedule({ scheduledAt: null }))
      .then({ type: 'PostScheduled', data: { ...scheduledData, scheduledAt: noon } }));
  it('forgives a minute', () =>
    given()
      .when(schedule({ scheduledAt: plus(noon, -60_000) }))
      .then({ type: 'PostScheduled', data: { ...scheduledData, scheduledAt: plus(noon, -60_000) } }));
  it('refuses a time over a minute past', () =>
    given()
      .when(schedule({ scheduledAt: plus(noon, -60_001) }))
      .fails('PUBLISH_TIME_PASSED'));
  it('takes an id once', () => given(scheduled).when(schedule()).fails('POST_ALREADY_EXISTS'));
  it('takes the id of a cancelled post never again', () =>
    given(scheduled, cancelled).when(schedule()).fails('POST_ALREADY_EXISTS'));
  it('takes an account once', () =>
    given()
      .when(schedule({ destinations: [instagram, { ...instagram, id: 'dst_3' }] }))
      .fails('POST_DESTINATIONS_INVALID'));
  it('may go to one destination', () =>
    given()
      .when(schedule({ destinations: [linkedin] }))
      .then({ type: 'PostScheduled', data: { ...scheduledData, destinations: [linkedin] } }));
  it('needs a destination, and at most fifty', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ id: `dst_${n}`, accountId: `acct_${n}`, platform: 'x' }));
    given()
      .when(schedule({ destinations: [] }))
      .fails('POST_DESTINATIONS_INVALID');
    given()
      .when(schedule({ destinations: many(51) }))
      .fails('POST_DESTINATIONS_INVALID');
    given()
      .when(schedule({ destinations: many(50) }))
      .then({ type: 'PostScheduled', data: { ...scheduledData, destinations: many(50) } });
  });
});

describe('rescheduling a post', () => {
  const four = instant('2026-04-22T16:00:00.000Z');
  const again: PostEvent = {
    type: 'PostRescheduled',
    data: {
      postId,
      profileId: 'prof_1',
      scheduledAt: four,
      previousScheduledAt: two,
      platforms: ['instagram', 'linkedin'],
    },
  };
  it('appends one event', () => given(scheduled).when(reschedule(four)).then(again));
  it('names each platform once', () => {
    const twice = { ...scheduledData, destinations: [instagram, { ...instagram, id: 'dst_3', accountId: 'acct_3' }] };
    given({ type: 'PostScheduled', data: twice })
      .when(reschedule(four))
      .then({ type: 'PostRescheduled', data: { ...again.data, platforms: ['instagram'] } } as PostEvent);
  });
  it('refuses a time that has passed', () =>
    given(scheduled)
      .when(reschedule(plus(noon, -60_001)))
      .fails('PUBLISH_TIME_PASSED'));
  it('is refused once the post has begun', () =>
    given(...started)
      .when(reschedule(four))
      .fails('POST_NOT_RESCHEDULABLE'));
  it('is refused once the post is cancelled', () =>
    given(scheduled, cancelled).when(reschedule(four)).fails('POST_NOT_RESCHEDULABLE'));
  it('needs a post', () => given().when(reschedule(four)).fails('POST_NOT_FOUND'));
  it('makes the timer of the old time void', () => given(scheduled, again).when(dueAt(two)).then());
  it('is due at the new time', () =>
    given(scheduled, again).when(dueAt(four)).then(begun, due(instagram), due(linkedin)));
});

describe('cancelling a post', () => {
  it('appends one event', () => given(scheduled).when(cancel).then(cancelled));
  it('is refused when it is cancelled already', () =>
    given(scheduled, cancelled).when(cancel).fails('POST_NOT_CANCELLABLE'));
  it('is refused once it has begun', () =>
    given(...started)
      .when(cancel)
      .fails('POST_NOT_CANCELLABLE'));
  it('is refused once it has settled', () =>
    given(...partial)
      .when(cancel)
      .fails('POST_NOT_CANCELLABLE'));
  it('needs a post', () => given().when(cancel).fails('POST_NOT_FOUND'));
});

describe('a post that is due', () => {
  it('begins, and makes each destination due', () =>
    given(scheduled).when(dueAt(two)).then(begun, due(instagram), due(linkedin)));
  it('makes as many destinations due as one append takes, the others next, and one that is reported of before that', () => {
    const long = { text: 'x'.repeat(200_000), mediaIds: [] };
    const longDue = (destination: typeof instagram): PostEvent => ({
      type: 'DestinationDue',
      data: { ...on(destination), attempt: 1, content: long },
    });
    const longScheduled: PostEvent = { type: 'PostScheduled', data: { ...scheduledData, content: long } };
    const heldOver: PostEvent = { type: 'DestinationsHeldOver', data: { postId } };
    const half = [longScheduled, begun, longDue(instagram), heldOver];
    given(longScheduled).when(dueAt(two)).then(begun, longDue(instagram), heldOver);
    given(...half)
      .when(dueAt(two))
      .then(longDue(linkedin));
    given(...half)
      .when(report(ok, linkedin))
      .then(longDue(linkedin), publishedOn(linkedin));
    given(longScheduled)
      .when(report(ok, linkedin))
      .then(begun, longDue(instagram), heldOver, longDue(linkedin), publishedOn(linkedin));
  });
  it('does not begin before its time', () =>
    given(scheduled)
      .when(dueAt(plus(two, -1)))
      .then());
  it('does not begin twice', () =>
    given(...started)
      .when(dueAt(two))
      .then());
  it('does not begin when it was cancelled', () => given(scheduled, cancelled).when(dueAt(two)).then());
  it('does not begin when there is none', () => given().when(dueAt(two)).then());
});

describe('an outcome', () => {
  it('is taken', () =>
    given(...started)
      .when(report(ok))
      .then(publishedOn(instagram)));
  it('settles the post with the last one, in the same append', () =>
    given(...started, publishedOn(instagram))
      .when(report(ok, linkedin))
      .then(publishedOn(linkedin), settled('PostPublished', [well(instagram), well(linkedin)])));
  it('settles the post as partial when one network refuses', () =>
    given(...started, publishedOn(instagram))
      .when(report(refused, linkedin))
      .then(refusedOn(linkedin), settled('PostPartiallyPublished', [well(instagram), badly(linkedin)])));
  it('settles the post as failed when every network refuses', () =>
    given(...started, refusedOn(instagram))
      .when(report(refused, linkedin))
      .then(refusedOn(linkedin), settled('PostFailed', [badly(instagram), badly(linkedin)])));
  it('has no effect when it comes again', () => {
    given(...started, publishedOn(instagram))
      .when(report(ok))
      .then();
    given(...started, publishedOn(instagram))
      .when(report(ok, instagram, { attempt: 1 }))
      .then();
    given(...partial)
      .when(report(refused, linkedin))
      .then();
  });
  it('may not contradict the one before', () => {
    given(...started, publishedOn(instagram))
      .when(report(refused))
      .fails('OUTCOME_CONTRADICTED');
    given(...started, publishedOn(instagram))
      .when(report({ ...ok, url: 'https://instagram.example/p/179' }))
      .fails('OUTCOME_CONTRADICTED');
    given(...partial)
      .when(report(ok, linkedin))
      .fails('OUTCOME_CONTRADICTED');
    given(...started, publishedOn(instagram))
      .when(report({ ...ok, platformPostId: '179' }))
      .fails('OUTCOME_CONTRADICTED');
    for (const other of [{ error: 'Another sentence' }, { errorCode: 'another_code' }, { retryable: true }])
      given(...partial)
        .when(report({ ...refused, ...other }, linkedin))
        .fails('OUTCOME_CONTRADICTED');
  });
  it('is refused before the post is due', () =>
    given(scheduled)
      .when(report(ok, instagram, { at: plus(two, -1) }))
      .fails('POST_NOT_DUE'));
  it('begins the post when it is faster than the timer', () =>
    given(scheduled).when(report(ok)).then(begun, due(instagram), due(linkedin), publishedOn(instagram)));
  it('is refused for a cancelled post', () => given(scheduled, cancelled).when(report(ok)).fails('POST_NOT_DUE'));
  it('needs a destination of the post', () =>
    given(...started)
      .when(report(ok, { ...instagram, id: 'dst_9' }))
      .fails('DESTINATION_NOT_FOUND'));
  it('needs a post', () => given().when(report(ok)).fails('POST_NOT_FOUND'));
  it('is refused for an attempt that is not due', () => {
    given(...started)
      .when(report(ok, instagram, { attempt: 2 }))
      .fails('POST_NOT_DUE');
    given(...started)
      .when(report(ok, instagram, { attempt: 0 }))
      .fails('POST_NOT_DUE');
  });
});

describe('a retryable failure', () => {
  const in1m = plus(two, 60_000);
  const in5m = plus(two, 300_000);
  const waiting = [...started, stumbled(1, in1m)];
  const secondTry = [...waiting, due(instagram, 2)];

  it('is tried again after the first pause', () =>
    given(...started)
      .when(report(hiccup))
      .then(stumbled(1, in1m)));
  it('is tried again after the second pause', () =>
    given(...secondTry)
      .when(report(hiccup))
      .then(stumbled(2, in5m)));
  it('is final at the third attempt', () =>
    given(...secondTry, stumbled(2, in5m), due(instagram, 3))
      .when(report(hiccup))
      .then({
        type: 'DestinationFailed',
        data: { ...on(instagram), attempts: 3, error: 'Slow down', errorCode: 'rate_limited', retryable: true },
      }));
  it('makes the next attempt due when its time has come', () =>
    given(...waiting)
      .when(tryAgain(2, in1m))
      .then(due(instagram, 2)));
  it('makes nothing due before', () =>
    given(...waiting)
      .when(tryAgain(2, plus(in1m, -1)))
      .then());
  it.each([1, 3])('makes nothing due for the timer of attempt %i', (attempt) =>
    given(...waiting)
      .when(tryAgain(attempt, in1m))
      .then(),
  );
  it('makes the next attempt due once', () =>
    given(...secondTry)
      .when(tryAgain(2, in1m))
      .then());
  it('has no effect when it comes again while the next attempt is awaited', () => {
    given(...waiting)
      .when(report(hiccup))
      .then();
    given(...waiting)
      .when(report(hiccup, instagram, { attempt: 1 }))
      .then();
  });
  it('lets nothing else in while the next attempt is awaited', () => {
    given(...waiting)
      .when(report(ok))
      .fails('POST_NOT_DUE');
    given(...waiting)
      .when(report(refused))
      .fails('POST_NOT_DUE');
    given(...waiting)
      .when(report(ok, instagram, { attempt: 2 }))
      .fails('POST_NOT_DUE');
  });
  it('may not be contradicted by name', () =>
    given(...waiting)
      .when(report(ok, instagram, { attempt: 1 }))
      .fails('OUTCOME_CONTRADICTED'));
  it('may be repeated by name when the next attempt is under way', () =>
    given(...secondTry)
      .when(report(hiccup, instagram, { attempt: 1 }))
      .then());
  it('counts for the next attempt once that is due', () =>
    given(...secondTry)
      .when(report(ok))
      .then(publishedOn(instagram, 2)));
  it('takes a report of the next attempt that is faster than the timer', () =>
    given(...waiting)
      .when(report(ok, instagram, { at: in1m, attempt: 2 }))
      .then(due(instagram, 2), publishedOn(instagram, 2)));
  it('counts for the next attempt once that is due by the clock', () => {
    given(...waiting)
      .when(report(ok, instagram, { at: in1m }))
      .then(due(instagram, 2), publishedOn(instagram, 2));
    given(...waiting)
      .when(report(hiccup, instagram, { at: in1m }))
      .then(due(instagram, 2), stumbled(2, plus(in1m, 300_000)));
  });
  it('may be repeated by name when the next attempt is due by the clock', () =>
    given(...waiting)
      .when(report(hiccup, instagram, { at: in1m, attempt: 1 }))
      .then());
  it('does not settle the post while it waits', () =>
    given(...waiting)
      .when(report(ok, linkedin))
      .then(publishedOn(linkedin)));
});

describe('retrying a post', () => {
  it('makes all that failed due again, with the next attempt', () =>
    given(...failedAll)
      .when(retry())
      .then(retried(2, 'dst_1', 'dst_2'), due(instagram, 2), due(linkedin, 2)));
  it('makes only the named ones due', () =>
    given(...failedAll)
      .when(retry('dst_2', 'dst_2'))
      .then(retried(2, 'dst_2'), due(linkedin, 2)));
  it('leaves what was published alone', () =>
    given(...partial)
      .when(retry())
      .then(retried(2, 'dst_2'), due(linkedin, 2)));
  it('settles again, with the counts of the whole post', () =>
    given(...partial, retried(2, 'dst_2'), due(linkedin, 2))
      .when(report(ok, linkedin))
      .then(publishedOn(linkedin, 2), settled('PostPublished', [well(instagram, false), well(linkedin)], 2)));
  it('gives the destination a whole ladder again', () =>
    given(...failedAll, retried(2, 'dst_1'), due(instagram, 2))
      .when(report(hiccup))
      .then(stumbled(2, plus(two, 60_000))));
  it('refuses a destination that has not failed', () =>
    given(...partial)
      .when(retry('dst_1'))
      .fails('DESTINATION_NOT_FAILED'));
  it('refuses a destination that the post has not', () =>
    given(...partial)
      .when(retry('dst_9'))
      .fails('DESTINATION_NOT_FOUND'));
  it('refuses when nothing has failed', () => {
    given(scheduled).when(retry()).fails('NOTHING_TO_RETRY');
    given(scheduled, cancelled).when(retry()).fails('NOTHING_TO_RETRY');
  });
  it('waits until the post has settled', () =>
    given(...started, refusedOn(instagram))
      .when(retry())
      .fails('POST_STILL_PUBLISHING'));
  it('needs a post', () => given().when(retry()).fails('POST_NOT_FOUND'));
});
