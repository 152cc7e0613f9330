import { instant } from '#kernel';
import { scenariosOf } from '#testing';
import type { CampaignCommand } from './campaign.commands';
import { campaignDecider } from './campaign.decider';
import type { CampaignEvent, PostOutcome } from './campaign.events';

const { given } = scenariosOf(campaignDecider);

const noon = instant('2026-04-22T12:00:00.000Z');
const later = instant('2026-04-22T12:10:00.000Z');
const latest = instant('2026-04-22T12:19:59.000Z');
const campaignId = 'cmp_1';
const stamp = { at: noon, actor: 'system' };

const create: CampaignCommand = { ...stamp, type: 'CreateCampaign', campaignId, name: 'Spring', profileId: 'prof_1' };
const close: CampaignCommand = { ...stamp, type: 'CloseCampaign' };
const join = (postId: string, request: string | null = 'first', reservedUntil = later): CampaignCommand => ({
  ...stamp,
  type: 'JoinCampaign',
  campaignId,
  postId,
  request,
  reservedUntil,
});
const leave = (postId: string, request: string | null = 'first', at = noon): CampaignCommand => ({
  ...stamp,
  at,
  type: 'LeaveCampaign',
  campaignId,
  postId,
  request,
});
const timeIsOver = (postId: string, at = later) => leave(postId, null, at);
const add = (postId: string): CampaignCommand => ({ ...stamp, type: 'AddPost', campaignId, postId });
const remove = (postId: string): CampaignCommand => ({ ...stamp, type: 'RemovePost', campaignId, postId });
const reopen = (postId: string, round = 2): CampaignCommand => ({
  ...stamp,
  type: 'ReopenPost',
  campaignId,
  postId,
  round,
});
const settle = (postId: string, outcome: PostOutcome, round = 1): CampaignCommand => ({
  ...stamp,
  type: 'RecordPostSettled',
  campaignId,
  postId,
  outcome,
  round,
  sourceEventId: `${postId}-${round}`,
});

const created: CampaignEvent = { type: 'CampaignCreated', data: { campaignId, name: 'Spring', profileId: 'prof_1' } };
const closed: CampaignEvent = { type: 'CampaignClosed', data: { campaignId } };
const reserved = (postId: string, request: string | null = 'first', reservedUntil = later): CampaignEvent => ({
  type: 'CampaignPostJoined',
  data: { campaignId, postId, reservedUntil, request },
});
const released = (postId: string, request: string): CampaignEvent => ({
  type: 'CampaignPostReleased',
  data: { campaignId, postId, request },
});
const joined = (postId: string): CampaignEvent => ({
  type: 'CampaignPostJoined',
  data: { campaignId, postId, reservedUntil: null, request: null },
});
const confirmed = (postId: string): CampaignEvent => ({ type: 'CampaignPostConfirmed', data: { campaignId, postId } });
const left = (postId: string, reason: 'cancelled' | 'not_scheduled'): CampaignEvent => ({
  type: 'CampaignPostLeft',
  data: { campaignId, postId, reason },
});
const reopened = (postId: string, round = 2): CampaignEvent => ({
  type: 'CampaignPostReopened',
  data: { campaignId, postId, round },
});
const progressed = (
  postId: string,
  outcome: PostOutcome,
  [settled, total, succeeded]: [number, number, number],
  round = 1,
): CampaignEvent => ({
  type: 'CampaignProgressed',
  data: { campaignId, postId, outcome, round, sourceEventId: `${postId}-${round}`, settled, total, succeeded },
});
const completed = (totalPosts: number, successCount: number): CampaignEvent => ({
  type: 'CampaignCompleted',
  data: { campaignId, totalPosts, successCount, failedCount: totalPosts - successCount },
});

describe('a campaign', () => {
  it('is created once', () => {
    given().when(create).then(created);
    given(created).when(create).fails('CAMPAIGN_ALREADY_EXISTS');
  });
  it('closes without effect the second time', () => given(created, joined('pst_1'), closed).when(close).then());
  it('must exist to be closed', () => given().when(close).fails('CAMPAIGN_NOT_FOUND'));
});

describe('joining a campaign', () => {
  it('keeps a place', () => given(created).when(join('pst_1')).then(reserved('pst_1')));
  it('keeps one place for a post that asks twice, as long as who asks last needs it', () => {
    const asked = [created, reserved('pst_1'), reserved('pst_1', 'second', latest)];
    given(created, reserved('pst_1'))
      .when(join('pst_1', 'second', latest))
      .then(reserved('pst_1', 'second', latest));
    given(...asked)
      .when(join('pst_1', 'third'))
      .then(reserved('pst_1', 'third', latest));
    given(...asked, closed)
      .when(settle('pst_1', 'published'))
      .then(progressed('pst_1', 'published', [1, 1, 1]), completed(1, 1));
  });
  it('keeps the place longer for a request that is tried again, and for it alone', () => {
    given(created, reserved('pst_1')).when(join('pst_1')).then();
    given(created, reserved('pst_1'))
      .when(join('pst_1', 'first', latest))
      .then(reserved('pst_1', 'first', latest));
    given(created, reserved('pst_1'), reserved('pst_1', 'first', latest), closed)
      .when(leave('pst_1'))
      .then(left('pst_1', 'not_scheduled'), completed(0, 0));
  });
  it('gives up a place that two have asked for when the second of them is refused too', () => {
    const asked = [created, reserved('pst_1'), reserved('pst_1', 'second'), closed];
    for (const [one, other] of [
      ['first', 'second'],
      ['second', 'first'],
    ] as const) {
      given(...asked)
        .when(leave('pst_1', one))
        .then(released('pst_1', one));
      given(...asked, released('pst_1', one))
        .when(leave('pst_1', one))
        .then();
      given(...asked, released('pst_1', one))
        .when(leave('pst_1', other))
        .then(left('pst_1', 'not_scheduled'), completed(0, 0));
    }
    given(...asked, confirmed('pst_1'))
      .when(leave('pst_1'))
      .then();
  });
  it('gives up a place of which a request never answered when its time is over', () => {
    const asked = [created, reserved('pst_1'), reserved('pst_1', 'second', latest), closed];
    for (const story of [asked, [...asked, released('pst_1', 'second')]]) {
      given(...story)
        .when(timeIsOver('pst_1'))
        .then();
      given(...story)
        .when(timeIsOver('pst_1', latest))
        .then(left('pst_1', 'not_scheduled'), completed(0, 0));
    }
    given(...asked, confirmed('pst_1'))
      .when(timeIsOver('pst_1', latest))
      .then();
  });
  it('leaves a place that was reserved before it was told by whom to its time', () => {
    const old = [created, reserved('pst_1', null), closed];
    given(...old)
      .when(leave('pst_1'))
      .then();
    given(...old, reserved('pst_1', 'second'))
      .when(leave('pst_1', 'second'))
      .then(released('pst_1', 'second'));
    given(...old)
      .when(timeIsOver('pst_1'))
      .then(left('pst_1', 'not_scheduled'), completed(0, 0));
  });
  it('keeps no place that is taken any longer', () => {
    given(created, reserved('pst_1'), confirmed('pst_1'))
      .when(join('pst_1', 'second', latest))
      .then();
    given(created, joined('pst_1'))
      .when(join('pst_1', 'second', latest))
      .then();
  });
  it('is refused after the close', () =>
    given(created, joined('pst_1'), closed).when(join('pst_2')).fails('CAMPAIGN_CLOSED'));
  it('is refused after the completion', () =>
    given(created, closed, completed(0, 0)).when(join('pst_2')).fails('CAMPAIGN_CLOSED'));
  it('holds for a post that had its place before the close', () =>
    given(created, reserved('pst_1'), closed)
      .when(join('pst_1', 'second', latest))
      .then(reserved('pst_1', 'second', latest)));
  it('is refused when there is no campaign', () => given().when(join('pst_1')).fails('CAMPAIGN_UNKNOWN'));
  it('is confirmed by the post that was scheduled', () =>
    given(created, reserved('pst_1')).when(add('pst_1')).then(confirmed('pst_1')));
  it('is confirmed once', () => {
    given(created, reserved('pst_1'), confirmed('pst_1')).when(add('pst_1')).then();
    given(created, joined('pst_1')).when(add('pst_1')).then();
  });
  it('is undone for a post that was not scheduled', () =>
    given(created, reserved('pst_1')).when(leave('pst_1')).then(left('pst_1', 'not_scheduled')));
  it('is never undone for a post that was', () => {
    given(created, reserved('pst_1'), confirmed('pst_1')).when(leave('pst_1')).then();
    given(created, reserved('pst_1'), progressed('pst_1', 'failed', [1, 1, 0]))
      .when(leave('pst_1'))
      .then();
    given(created, reserved('pst_1'), reopened('pst_1')).when(leave('pst_1')).then();
  });
  it('lets a post in that was scheduled after its reservation ran out', () =>
    given(created, reserved('pst_1'), left('pst_1', 'not_scheduled')).when(add('pst_1')).then(joined('pst_1')));
});

describe('a post of a campaign', () => {
  it('counts when it settles', () =>
    given(created, joined('pst_1'), joined('pst_2'))
      .when(settle('pst_1', 'published'))
      .then(progressed('pst_1', 'published', [1, 2, 1])));
  it('counts as failed when it was published in part', () =>
    given(created, joined('pst_1'))
      .when(settle('pst_1', 'partial'))
      .then(progressed('pst_1', 'partial', [1, 1, 0])));
  it('counts once for one settling', () =>
    given(created, joined('pst_1'), progressed('pst_1', 'failed', [1, 1, 0]))
      .when(settle('pst_1', 'failed'))
      .then());
  it('counts anew, and once, when it is retried and settles again', () =>
    given(created, joined('pst_1'), progressed('pst_1', 'failed', [1, 1, 0]))
      .when(settle('pst_1', 'published', 2))
      .then(progressed('pst_1', 'published', [1, 1, 1], 2)));
  it('keeps its newest outcome when an older one comes late', () =>
    given(created, joined('pst_1'), progressed('pst_1', 'published', [1, 1, 1], 2))
      .when(settle('pst_1', 'failed', 1))
      .then());
  it('is let in by its settling when that comes first', () =>
    given(created)
      .when(settle('pst_1', 'published'))
      .then(joined('pst_1'), progressed('pst_1', 'published', [1, 1, 1])));
  it('leaves when it is cancelled', () =>
    given(created, joined('pst_1')).when(remove('pst_1')).then(left('pst_1', 'cancelled')));
  it('does not come back once cancelled', () => {
    given(created).when(remove('pst_1')).then(left('pst_1', 'cancelled'));
    given(created, left('pst_1', 'cancelled')).when(add('pst_1')).then();
    given(created, left('pst_1', 'cancelled')).when(join('pst_1')).then();
    given(created, left('pst_1', 'cancelled')).when(settle('pst_1', 'failed')).then();
    given(created, left('pst_1', 'cancelled')).when(remove('pst_1')).then();
  });
  it('says nothing to a campaign that never was', () => {
    given().when(add('pst_1')).then();
    given().when(remove('pst_1')).then();
    given().when(leave('pst_1')).then();
    given().when(settle('pst_1', 'failed')).then();
  });
});

describe('a post that is tried again', () => {
  const failed = [created, joined('pst_1'), progressed('pst_1', 'failed', [1, 1, 0])];
  it('counts no more until it settles again', () => {
    given(...failed)
      .when(reopen('pst_1'))
      .then(reopened('pst_1'));
    given(...failed, reopened('pst_1'))
      .when(settle('pst_1', 'published', 2))
      .then(progressed('pst_1', 'published', [1, 1, 1], 2));
  });
  it('is waited for by the close, and by the last settling', () => {
    given(...failed, reopened('pst_1'))
      .when(close)
      .then(closed);
    given(...failed, joined('pst_2'), closed, reopened('pst_1'))
      .when(settle('pst_2', 'published'))
      .then(progressed('pst_2', 'published', [1, 2, 1]));
    given(...failed, closed, reopened('pst_1'))
      .when(settle('pst_1', 'failed', 2))
      .then(progressed('pst_1', 'failed', [1, 1, 0], 2), completed(1, 0));
  });
  it('is reopened once a round, and not by one that has settled or is older', () => {
    given(...failed, reopened('pst_1'))
      .when(reopen('pst_1'))
      .then();
    given(...failed, reopened('pst_1', 3))
      .when(reopen('pst_1', 2))
      .then();
    given(created, joined('pst_1'), progressed('pst_1', 'failed', [1, 1, 0], 2))
      .when(reopen('pst_1'))
      .then();
    given(...failed, reopened('pst_1'))
      .when(settle('pst_1', 'failed', 1))
      .then();
  });
  it('may be heard of before it joined or settled, never after it left', () => {
    given(created).when(reopen('pst_1')).then(joined('pst_1'), reopened('pst_1'));
    given(created, joined('pst_1'), reopened('pst_1'))
      .when(settle('pst_1', 'failed', 1))
      .then();
    given(created, left('pst_1', 'cancelled')).when(reopen('pst_1')).then();
    given().when(reopen('pst_1')).then();
  });
});

describe('the completion', () => {
  it('comes at once with the close of an empty campaign', () =>
    given(created).when(close).then(closed, completed(0, 0)));
  it('comes with the close when every post has settled', () =>
    given(created, joined('pst_1'), progressed('pst_1', 'published', [1, 1, 1]))
      .when(close)
      .then(closed, completed(1, 1)));
  it('waits for a post that has not settled', () => given(created, joined('pst_1')).when(close).then(closed));
  it('waits for a post whose place is reserved', () => given(created, reserved('pst_1')).when(close).then(closed));
  it('comes with the last settling', () =>
    given(created, joined('pst_1'), closed)
      .when(settle('pst_1', 'failed'))
      .then(progressed('pst_1', 'failed', [1, 1, 0]), completed(1, 0)));
  it('comes with the last leaving', () => {
    given(created, joined('pst_1'), closed).when(remove('pst_1')).then(left('pst_1', 'cancelled'), completed(0, 0));
    given(created, reserved('pst_1'), closed)
      .when(leave('pst_1'))
      .then(left('pst_1', 'not_scheduled'), completed(0, 0));
  });
  it('is the last word', () => {
    const done = [created, joined('pst_1'), closed, progressed('pst_1', 'failed', [1, 1, 0]), completed(1, 0)];
    for (const late of [
      close,
      add('pst_2'),
      remove('pst_1'),
      leave('pst_1'),
      settle('pst_1', 'published', 2),
      reopen('pst_1'),
    ])
      given(...done)
        .when(late)
        .then();
  });
});
