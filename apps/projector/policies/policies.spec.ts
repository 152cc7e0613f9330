import type { RecordedEvent } from '#event-store';
import { instant, type Instant } from '#kernel';
import { policiesProjection, stepsOf } from './policies.projection';

const AT = instant('2026-05-01T10:00:00.000Z');
const happened = (type: string, data: object): RecordedEvent => ({
  id: '00000000-0000-8000-8000-000000000001',
  type,
  data,
  stream: 'post-ws_1:pst_1',
  revision: 0,
  position: 1,
  metadata: {
    workspace: 'ws_1',
    actor: 'usr_1',
    correlationId: 'c',
    causationId: null,
    commandId: 'x',
    schemaVersion: 1,
    occurredAt: AT,
  },
});
const set = (type: string, data: object) =>
  stepsOf(happened(type, data)).flatMap((step) =>
    'set' in step ? [[step.set.kind, step.set.dueAt, step.set.payload]] : [],
  );
const cleared = (type: string, data: object) =>
  stepsOf(happened(type, data)).flatMap((step) => ('clear' in step ? [`${step.clear.kind} ${step.clear.name}`] : []));

const names = (type: string, data: object) =>
  stepsOf(happened(type, data)).flatMap((step) => ('set' in step ? [step.set.name] : []));

const targets = (type: string, data: object) =>
  stepsOf(happened(type, data)).flatMap((step) => ('set' in step ? [`${step.set.kind} ${step.set.target}`] : []));

const post = { postId: 'pst_1', campaignId: null as string | null, scheduledAt: instant('2026-05-02T00:00:00.000Z') };
const account = { accountId: 'acct_1', credentialExpiresAt: null as Instant | null };

describe('what events lead to', () => {
  it('a post becomes due at its time; rescheduled, at the new one; cancelled, never', () => {
    expect(set('PostScheduled', post)).toEqual([['post_due', post.scheduledAt, { postId: 'pst_1' }]]);
    expect(set('PostRescheduled', post)).toEqual(set('PostScheduled', post));
    expect(cleared('PostCancelled', post)).toEqual(['post_due pst_1']);
    expect(cleared('PostPublishingStarted', post)).toEqual(['post_due pst_1']);
    // What one append could not hold is due, whatever the time it was scheduled for.
    expect(set('DestinationsHeldOver', { postId: 'pst_1' })).toEqual([['post_due', AT, { postId: 'pst_1' }]]);
  });

  it('a destination is tried again when its pause is over', () => {
    const failed = {
      postId: 'pst_1',
      destinationId: 'dst_1',
      attempt: 1,
      retryAt: instant('2026-05-01T10:01:00.000Z'),
    };
    expect(set('DestinationAttemptFailed', failed)).toEqual([
      ['destination_due', failed.retryAt, { postId: 'pst_1', destinationId: 'dst_1', attempt: 2 }],
    ]);
    // And no other destination of the post takes its place.
    const ofOther = names('DestinationAttemptFailed', { ...failed, destinationId: 'dst_2' });
    expect(names('DestinationAttemptFailed', failed)).not.toEqual(ofOther);
  });

  it('an expiry is announced 72 hours ahead and takes effect in its moment', () => {
    const expiresAt = instant('2026-06-01T10:00:00.000Z');
    const timers = [
      ['credential_expiring', '2026-05-29T10:00:00.000Z', { accountId: 'acct_1', expiresAt }],
      ['credential_expired', expiresAt, { accountId: 'acct_1', expiresAt }],
    ];
    expect(set('AccountConnected', { ...account, credentialExpiresAt: expiresAt })).toEqual(timers);
    expect(set('CredentialRenewed', { ...account, expiresAt })).toEqual(timers);
    expect(set('AccountConnected', account)).toEqual([]);
    expect(cleared('AccountDisconnected', account)).toEqual([
      'credential_expiring acct_1',
      'credential_expired acct_1',
    ]);
  });

  it('a campaign hears of its posts at once, and of no others', () => {
    const ofCampaign = { ...post, campaignId: 'cmp_1' };
    const about = { campaignId: 'cmp_1', postId: 'pst_1' };
    expect(set('PostScheduled', ofCampaign)).toContainEqual(['campaign_post_added', AT, about]);
    expect(set('PostCancelled', ofCampaign)).toEqual([['campaign_post_removed', AT, about]]);
    expect(set('PostPartiallyPublished', { ...ofCampaign, round: 2 })).toEqual([
      [
        'campaign_post_settled',
        AT,
        { ...about, outcome: 'partial', round: 2, sourceEventId: '00000000-0000-8000-8000-000000000001' },
      ],
    ]);
    for (const [type, outcome] of [
      ['PostPublished', 'published'],
      ['PostFailed', 'failed'],
    ] as const)
      expect(set(type, { ...ofCampaign, round: 1 })).toMatchObject([['campaign_post_settled', AT, { outcome }]]);
    expect(set('PostPublished', { ...post, round: 1 })).toEqual([]);
    expect(set('PostRetried', { ...ofCampaign, round: 2 })).toEqual([
      ['campaign_post_reopened', AT, { ...about, round: 2 }],
    ]);
  });

  it('a campaign hears of each round of a post, however soon one follows another', () => {
    for (const type of ['PostFailed', 'PostRetried']) {
      const [first, second] = [1, 2].map((round) => names(type, { ...post, campaignId: 'cmp_1', round }));
      expect(first).not.toEqual(second);
    }
  });

  it('commands to one thing keep their order: to a post, an account or a campaign', () => {
    const inCampaign = { ...post, campaignId: 'cmp_1', round: 1 };
    expect(targets('PostScheduled', inCampaign)).toEqual(['post_due pst_1', 'campaign_post_added cmp_1']);
    expect(targets('PostFailed', inCampaign)).toEqual(['campaign_post_settled cmp_1']);
    expect(targets('DestinationAttemptFailed', { ...post, destinationId: 'dst_1', attempt: 1, retryAt: AT })).toEqual([
      'destination_due pst_1',
    ]);
    expect(targets('CredentialRenewed', { ...account, expiresAt: AT })).toEqual([
      'credential_expiring acct_1',
      'credential_expired acct_1',
    ]);
    const place = { campaignId: 'cmp_1', postId: 'pst_1', reservedUntil: AT, request: 'r' };
    expect(targets('CampaignPostJoined', place)).toEqual(['campaign_reservation cmp_1']);
  });

  it('a place that was reserved is given up in time, unless the post came', () => {
    const reservedUntil = instant('2026-05-01T10:10:00.000Z');
    const about = { campaignId: 'cmp_1', postId: 'pst_1' };
    expect(set('CampaignPostJoined', { ...about, reservedUntil, request: 'r' })).toEqual([
      ['campaign_reservation', reservedUntil, about],
    ]);
    expect(names('CampaignPostJoined', { ...about, reservedUntil, request: 'r' })).toEqual(['cmp_1/pst_1']);
    expect(set('CampaignPostJoined', { ...about, reservedUntil: null, request: null })).toEqual([]);
    for (const ending of ['CampaignPostConfirmed', 'CampaignPostLeft'])
      expect(cleared(ending, about)).toEqual(['campaign_reservation cmp_1/pst_1']);
  });

  it('an event that concerns no policy leads to nothing', () => {
    expect(stepsOf(happened('MediaAdded', { mediaId: 'med_1' }))).toEqual([]);
  });
});

it('stops at an event that only a newer build knows, which may owe something for it', async () => {
  const { wants, build } = policiesProjection(() => undefined);
  expect(wants(happened('MediaProcessed', {}))).toBe(false);
  const surprise = happened('Surprise', {});
  expect(wants(surprise)).toBe(true);
  await expect(build(1).changes({} as never, { events: [surprise], position: 1 })).rejects.toThrow(
    'Unknown event type Surprise',
  );
});

it('wakes the timers for the first of those that it set', async () => {
  const woken: Instant[] = [];
  const events = ['2026-05-03', '2026-05-02', '2026-05-04'].map((day, n) =>
    happened('PostScheduled', { ...post, postId: `pst_${n}`, scheduledAt: instant(day) }),
  );
  const { build } = policiesProjection((due) => woken.push(due));
  const { done } = await build(1).changes({} as never, { events, position: 3 });
  done!([]);
  expect(woken).toEqual([instant('2026-05-02')]);
});

it('clears the timer that it set, and keeps with each by what it was caused', async () => {
  const { build } = policiesProjection(() => undefined);
  const changes = (event: RecordedEvent) => build(1).changes({} as never, { events: [event], position: 1 });
  const scheduled = happened('PostScheduled', post);
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const set = await changes({ ...scheduled, metadata: { ...scheduled.metadata, traceparent } });
  const key = 'post_due:ws_1:pst_1';
  expect(set.writes.map(({ params }) => params)).toEqual([
    [[key], ['pst_1'], ['post_due'], ['ws_1'], ...[1, 1, 1, 1].map(() => expect.anything()), ['c'], [traceparent]],
  ]);
  const cleared = await changes(happened('PostCancelled', post));
  expect(cleared).toEqual({ writes: [expect.objectContaining({ params: [[key]] })] });
});
