import { accountDecider } from '#accounts';
import { apply, decide, HOUR, instant, plus, type CommandBase, type Decider, type Message } from '#kernel';
import type { DomainEvent } from '#public-messages';
import { campaignDecider, postDecider, type Outcome } from '#publishing';
import * as studio from '#studio';
import { deliveryDecider, endpointDecider } from '#webhooks';
import * as workspace from '#workspace';

// One short life of each aggregate, told by commands, so that together they lead to every event there is.

const noon = instant('2026-04-22T12:00:00.000Z');
const later = plus(noon, HOUR);
const stamp = { at: noon, actor: 'usr_owner123' };

function live<C extends CommandBase, E extends Message, S>(decider: Decider<C, E, S>, commands: readonly C[]): E[] {
  const events: E[] = [];
  let state = decider.initial;
  for (const command of commands)
    for (const event of decide(decider, command, state)) {
      events.push(event);
      state = apply(decider, state, event);
    }
  return events;
}

const destinations = [
  { id: 'dst_1', accountId: 'acct_1', platform: 'instagram' },
  { id: 'dst_2', accountId: 'acct_2', platform: 'linkedin' },
];
const schedulePost = {
  ...stamp,
  type: 'SchedulePost',
  postId: 'pst_1',
  profileId: 'prof_1',
  content: { text: 'Bonjour, world', mediaIds: ['med_1'] },
  destinations,
  scheduledAt: noon,
  campaignId: 'cmp_1',
} as const;
const due = { ...stamp, type: 'MarkPostDue' } as const;
const report = (destinationId: string, outcome: Outcome, at = noon) =>
  ({ ...stamp, at, type: 'ReportOutcome', destinationId, attempt: null, outcome, retryDelaysMs: [60_000] }) as const;
const published: Outcome = { ok: true, platformPostId: '17854321000123456', url: 'https://instagram.example/p/1' };
const refused: Outcome = { ok: false, errorCode: 'token_expired', error: 'Token expired', retryable: false };
const hiccup: Outcome = { ok: false, errorCode: 'rate_limited', error: 'Slow down', retryable: true };

const posts = [
  ...live(postDecider, [
    schedulePost,
    { ...stamp, type: 'ReschedulePost', scheduledAt: later },
    { ...stamp, type: 'CancelPost', reason: 'Not now' },
  ]),
  ...live(postDecider, [
    schedulePost,
    due,
    report('dst_1', published),
    report('dst_2', hiccup),
    report('dst_2', refused, later),
  ]),
  // Of more than one append holds.
  ...live(postDecider, [{ ...schedulePost, content: { text: 'x'.repeat(300_000), mediaIds: [] } }, due]).filter(
    ({ type }) => type === 'DestinationsHeldOver',
  ),
  // Of no campaign, as one that was retried before the event said which.
  ...live(postDecider, [
    { ...schedulePost, campaignId: null },
    due,
    report('dst_1', refused),
    report('dst_2', refused),
    { ...stamp, type: 'RetryPost', destinationIds: [] },
  ]).filter(({ type }) => type === 'PostRetried'),
  ...live(postDecider, [
    schedulePost,
    due,
    report('dst_1', refused),
    report('dst_2', refused),
    { ...stamp, type: 'RetryPost', destinationIds: [] },
    report('dst_1', published),
    report('dst_2', published),
  ]),
];

const campaignPost = { ...stamp, campaignId: 'cmp_1', postId: 'pst_1' };
const campaigns = live(campaignDecider, [
  { ...stamp, type: 'CreateCampaign', campaignId: 'cmp_1', name: 'Spring', profileId: 'prof_1' },
  // Of nobody, as one that was reserved before the event said for whom.
  { ...campaignPost, type: 'JoinCampaign', reservedUntil: later, request: null },
  { ...campaignPost, type: 'AddPost' },
  { ...campaignPost, type: 'RemovePost', postId: 'pst_2' },
  { ...stamp, type: 'CloseCampaign' },
  {
    ...campaignPost,
    type: 'RecordPostSettled',
    outcome: 'published',
    round: 1,
    sourceEventId: '019a5b1c-0f00-8000-8000-000000000001',
  },
]);
const campaignsReleased = live(campaignDecider, [
  { ...stamp, type: 'CreateCampaign', campaignId: 'cmp_1', name: 'Spring', profileId: 'prof_1' },
  ...['first', 'second'].map(
    (request) => ({ ...campaignPost, type: 'JoinCampaign', reservedUntil: later, request }) as const,
  ),
  { ...campaignPost, type: 'LeaveCampaign', request: 'second' },
]).filter(({ type }) => type === 'CampaignPostReleased');
const campaignsReopened = live(campaignDecider, [
  { ...stamp, type: 'CreateCampaign', campaignId: 'cmp_1', name: 'Spring', profileId: 'prof_1' },
  { ...campaignPost, type: 'ReopenPost', round: 2 },
]).filter(({ type }) => type === 'CampaignPostReopened');

const accounts = live(accountDecider, [
  {
    ...stamp,
    type: 'ConnectAccount',
    accountId: 'acct_1',
    platform: 'instagram',
    username: 'myband_official',
    profileId: 'prof_1',
    credentialExpiresAt: noon,
  },
  { ...stamp, type: 'RenewCredential', expiresAt: later },
  { ...stamp, type: 'MarkCredentialExpiring', expiresAt: later },
  { ...stamp, type: 'DisconnectAccount', reason: 'token_revoked' },
]);

const workspaces = [
  ...live(workspace.workspaceDecider, [{ ...stamp, type: 'CreateWorkspace', workspaceId: 'ws_1', name: 'Band' }]),
  ...live(workspace.apiKeyDecider, [
    {
      ...stamp,
      type: 'IssueApiKey',
      keyId: 'key_1',
      name: 'Poster',
      scopes: ['read', 'commands'],
      kind: 'service',
      expiresAt: null,
    },
    { ...stamp, type: 'RevokeApiKey' },
  ]),
  ...live(workspace.teamDecider, [
    { ...stamp, type: 'InviteMember', inviteId: 'inv_001', email: 'colleague@example.com', role: 'editor' },
    { ...stamp, type: 'AcceptInvitation', inviteId: 'inv_001', userId: 'usr_456' },
    { ...stamp, type: 'ChangeRole', userId: 'usr_456', role: 'admin' },
  ]),
  ...live(workspace.subjectDecider, [
    { ...stamp, type: 'EraseSubject', subjectId: 'usr_456', keys: [{ subject: 'usr_456', generation: 1 }] },
  ]),
  ...live(workspace.subscriptionDecider, [
    { ...stamp, type: 'ChangePlan', workspaceId: 'ws_1', plan: 'pro', effectiveAt: null },
    { ...stamp, type: 'ChangePlan', workspaceId: 'ws_1', plan: 'starter', effectiveAt: null },
    { ...stamp, type: 'CancelSubscription', workspaceId: 'ws_1', effectiveAt: later },
    {
      ...stamp,
      type: 'RecordPayment',
      workspaceId: 'ws_1',
      invoiceId: 'in_1',
      amountCents: 2900,
      currency: 'usd',
      outcome: 'failed',
      reason: 'Card declined',
    },
    {
      ...stamp,
      type: 'RecordPayment',
      workspaceId: 'ws_1',
      invoiceId: 'in_1',
      amountCents: 2900,
      currency: 'usd',
      outcome: 'succeeded',
    },
  ]),
];

const operation = {
  ...stamp,
  type: 'StartOperation',
  operationId: 'op_1',
  region: 'eu',
  total: 4,
  campaignId: 'cmp_1',
} as const;
const placement = { ...stamp, assetId: 'ast_1', clientId: 'client-9', folder: 'spring/final', campaignId: 'cmp_1' };
const adaptation = { ...stamp, type: 'AdaptContent', contentId: 'cnt_1', region: 'jp', locale: 'ja-JP' } as const;
const compliance = { ...stamp, type: 'CheckCompliance', guidelines: ['logo'], manualReview: false } as const;
const studioWork = [
  ...live(studio.mediaDecider, [
    { ...stamp, type: 'AddMedia', mediaId: 'med_1', kind: 'image', url: 'https://cdn.example/raw.jpg', bytes: 4096 },
    { ...stamp, type: 'MarkMediaProcessed', url: 'https://cdn.example/1.jpg', bytes: 2048 },
  ]),
  ...live(studio.operationDecider, [
    { ...operation, kind: 'campaign_generation' },
    { ...stamp, type: 'ReportProgress', done: 1, failed: 1 },
    {
      ...stamp,
      type: 'CompleteOperation',
      url: 'https://cdn.example/1.png',
      contentId: 'cnt_1',
      contentIds: ['cnt_1'],
      assets: ['ast_1'],
    },
  ]),
  ...live(studio.operationDecider, [
    { ...operation, kind: 'image' },
    {
      ...stamp,
      type: 'FailOperation',
      error: { code: 'model_busy', message: 'The model is busy', detail: 'Try again' },
    },
  ]),
  ...live(studio.designDecider, [
    { ...stamp, type: 'CreateDesign', designId: 'dsg_1', clientId: 'client-9', name: 'Poster' },
    { ...stamp, type: 'SubmitDesign' },
    { ...stamp, type: 'RequestRevision', note: 'Bigger logo' },
    { ...stamp, type: 'SubmitDesign' },
    { ...compliance, violations: ['Logo too small'] },
    { ...compliance, violations: [] },
    { ...stamp, type: 'ApproveDesign', note: 'Lovely' },
  ]),
  ...live(studio.assetDecider, [
    { ...placement, type: 'OrganizeAsset' },
    { ...placement, type: 'DeliverAsset' },
  ]),
  ...live(studio.galleryDecider, [
    { ...stamp, type: 'UpdateGallery', galleryId: 'gal_1', region: 'eu', added: ['ast_1'], removed: ['ast_0'] },
  ]),
  ...live(studio.contentDecider, [
    { ...adaptation, reasons: [] },
    { ...adaptation, reasons: ['Colour of mourning'] },
  ]),
  ...live(studio.regionDecider, [
    {
      ...stamp,
      type: 'UpdatePerformance',
      region: 'eu',
      period: '2026-04',
      impressions: 1000,
      engagements: 50,
      contentCount: 3,
    },
  ]),
];

const ofDelivery = { ...stamp, endpointId: 'whe_1', deliveryId: 'dlv_1' };
const webhooks = [
  ...live(endpointDecider, [
    {
      ...stamp,
      type: 'RegisterEndpoint',
      endpointId: 'whe_1',
      targetUrl: 'https://example.com/hook',
      eventTypes: ['post.*'],
      description: 'Ours',
      ordered: true,
      rateLimitPerSecond: 10,
      latestOnly: false,
      contract: 'core',
      startFrom: 'now',
      secret: { id: '1', box: 'v1.box' },
    },
    { ...stamp, type: 'UpdateEndpoint', changes: { eventTypes: ['*'] } },
    { ...stamp, type: 'RotateSecret', secret: { id: '2', box: 'v1.next' }, overlapMs: HOUR },
    { ...stamp, type: 'DisableEndpoint', reason: 'failing' },
    { ...stamp, type: 'EnableEndpoint' },
    { ...stamp, type: 'RequestReplay', jobId: 'job_1', since: noon, until: later, status: 'parked' },
    { ...stamp, type: 'DeleteEndpoint' },
  ]),
  ...live(deliveryDecider, [
    { ...ofDelivery, type: 'ParkDelivery', eventType: 'post.published', attempts: 10 },
    { ...ofDelivery, type: 'RequestDeliveryReplay' },
    { ...ofDelivery, type: 'DiscardDelivery' },
  ]),
];

/** Every event of the stories, in order: at least one of each type. */
export const stories: readonly DomainEvent[] = [
  ...posts,
  ...campaigns,
  ...campaignsReopened,
  ...campaignsReleased,
  ...accounts,
  ...workspaces,
  ...studioWork,
  ...webhooks,
];
