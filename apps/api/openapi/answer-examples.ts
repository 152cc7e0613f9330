const AT = '2030-04-22T14:00:00.000Z';
const HASH = '5b0f3c0e9a4d7f1682c3b5a4e6d7f8091a2b3c4d5e6f708192a3b4c5d6e7f809';
const PREVIOUS = 'c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f405162738495a6b7c8d9eafb0';
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const EVENT = 'evt_01bb1968-ac06-7a31-8f6e-0c5d1b2a3948';
const BODY =
  '{"id":"evt_01bb1968-ac06-7a31-8f6e-0c5d1b2a3948","type":"post.published","createdAt":"2030-04-22T14:00:02.310Z","data":{"postId":"pst_1","published":1,"failed":0,"total":1}}';

const postgres = { ok: true, engine: 'PostgreSQL', version: '18.4' };
const engines = { database: postgres, eventStore: postgres };
const destination = { id: 'dst_1', accountId: 'acct_1', platform: 'instagram' };
const post = {
  id: 'pst_1',
  status: 'scheduled',
  profileId: 'prof_bakery',
  content: { text: 'Fresh bread at eight.', mediaIds: [] },
  scheduledAt: AT,
  campaignId: null,
  destinations: [{ ...destination, status: 'pending' }],
};
const endpoint = {
  id: 'whe_1',
  targetUrl: 'https://hooks.example.com/postledger',
  eventTypes: ['post.*'],
  contract: 'core',
  description: null,
  ordered: false,
  rateLimitPerSecond: null,
  latestOnly: false,
  status: 'enabled',
  createdAt: AT,
};
const delivery = {
  id: 'dlv_1',
  endpointId: 'whe_1',
  eventId: EVENT,
  type: 'post.published',
  sequence: 42,
  status: 'delivered',
  createdAt: '2030-04-22T14:00:02.310Z',
};
const subject = { id: 'usr_ann', erased: true, erasedAt: AT, events: 7 };
const sent = {
  deliveryId: 'dlv_2',
  endpointId: 'whe_1',
  eventId: 'evt_01bb1968-a2f0-7c15-9d02-4f1e8a7b6c5d',
  type: 'team.member_invited',
  deliveredAt: AT,
};

/** A whole answer for every kind of JSON answer but the pages, which show one of what they list. By the name of its schema. */
const byName: Readonly<Record<string, unknown>> = {
  Live: { status: 'live', app: 'api' },
  Ready: {
    status: 'ready',
    parts: { ...engines, bus: { ok: true, engine: 'Apache Kafka', version: '4.1' } },
  },
  NewWorkspace: { id: 'ws_1', apiKey: 'plk_vK3Zq8hP1rT6yW0cB5nM9sX2dF7gJ4kL_aE-uQiRoSY' },
  NewApiKey: { id: 'key_1', key: 'plk_vK3Zq8hP1rT6yW0cB5nM9sX2dF7gJ4kL_aE-uQiRoSY' },
  ApiKey: {
    id: 'key_1',
    name: 'scheduler',
    scopes: ['read', 'commands'],
    kind: 'service',
    createdAt: AT,
    lastUsedAt: null,
    expiresAt: null,
  },

  Post: post,
  PostResults: {
    postId: 'pst_1',
    status: 'partial',
    destinations: [
      {
        ...destination,
        status: 'published',
        url: 'https://www.instagram.com/p/1',
        platformPostId: '17895695668004550',
        attempts: 1,
      },
      {
        id: 'dst_2',
        accountId: 'acct_2',
        platform: 'linkedin',
        status: 'failed',
        error: 'Token expired',
        errorCode: 'token_expired',
        attempts: 1,
      },
    ],
  },
  Campaign: {
    id: 'cmp_1',
    name: 'Spring menu',
    profileId: 'prof_bakery',
    status: 'closed',
    total: 12,
    settled: 9,
    succeeded: 8,
    failed: 1,
  },
  Account: {
    id: 'acct_1',
    platform: 'instagram',
    username: 'corner.bakery',
    profileId: 'prof_bakery',
    status: 'connected',
    credentialExpiresAt: '2030-06-01T00:00:00.000Z',
    disconnectedReason: null,
  },

  Invitation: {
    id: 'inv_1',
    email: 'ann@example.com',
    role: 'editor',
    invitedBy: 'usr_bob',
    status: 'accepted',
    acceptedBy: 'usr_ann',
  },
  Member: { userId: 'usr_ann', role: 'editor', inviteId: 'inv_1' },
  Subscription: { plan: 'starter', upcoming: { plan: 'pro', effectiveAt: '2030-05-01T00:00:00.000Z' } },
  Payment: { invoiceId: 'in_1', amountCents: 4900, currency: 'EUR', outcome: 'succeeded' },

  Media: {
    id: 'med_1',
    kind: 'image',
    status: 'processed',
    url: 'https://media.example.com/bread-1080.png',
    bytes: 84_000,
  },
  Operation: {
    id: 'op_1',
    kind: 'batch',
    region: null,
    campaignId: null,
    status: 'running',
    total: 20,
    done: 5,
    failed: 1,
  },
  Design: {
    id: 'dsg_1',
    clientId: 'client_bakery',
    name: 'Spring poster',
    status: 'in_review',
    revision: 2,
    note: 'The logo is too small.',
    compliance: { guidelines: ['logo-size'], violations: [], manualReview: false },
  },
  Asset: { id: 'ast_1', status: 'delivered', clientId: 'client_bakery', folder: 'spring/posters', campaignId: null },
  Gallery: { id: 'gal_1', region: 'de', items: ['ast_1', 'ast_2'] },
  Content: {
    id: 'cnt_1',
    adaptations: [{ region: 'jp', locale: 'ja-JP', status: 'review_required', reasons: ['idiom'] }],
  },
  Region: { region: 'de', period: '2030-04', impressions: 120_000, engagements: 4_300, contentCount: 12 },

  WebhookEndpoint: endpoint,
  NewWebhookEndpoint: { ...endpoint, signingSecret: SECRET },
  SigningSecret: { signingSecret: SECRET },
  WebhookTest: { delivered: true, statusCode: 200, durationMs: 38, response: 'ok' },
  JobReference: { jobId: 'job_1' },
  Job: { status: 'running', total: 1_200, done: 450 },
  Delivery: delivery,
  DeliveryDetail: {
    ...delivery,
    body: BODY,
    attempts: [
      { number: 1, at: '2030-04-22T14:00:02.318Z', durationMs: 41, statusCode: 503, response: 'one moment' },
      { number: 2, at: '2030-04-22T14:00:07.420Z', durationMs: 36, statusCode: 200, response: 'ok' },
    ],
  },
  DeliveryFeed: {
    data: [
      {
        sequence: 42,
        id: EVENT,
        type: delivery.type,
        createdAt: delivery.createdAt,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'Postledger-Webhooks/1',
          'webhook-id': EVENT,
          'webhook-timestamp': '1903161600',
          'webhook-signature': 'v1,UEr11Sc1TyavgOCyjkLGMiEtSQaejY39pBIQnRZ/ado=',
          'webhook-sequence': '42',
        },
        body: BODY,
      },
    ],
    nextCursor: null,
  },
  WebhookContracts: {
    data: [
      {
        name: 'post-ez',
        version: 1,
        types: ['post.published', 'post.failed'],
        signature: 'post-ez',
        retryDelaysSeconds: [30, 120, 600, 3_600, 21_600],
        timeoutSeconds: 10,
      },
    ],
  },
  WebhookEventTypes: {
    data: [
      {
        contract: 'core',
        type: 'webhook.test',
        description: 'A sample, sent on request to see that an endpoint works.',
        schema: { type: 'object', required: ['id', 'type', 'createdAt', 'data'] },
        example: { id: EVENT, type: 'webhook.test', createdAt: AT, data: { message: 'It works.' } },
      },
    ],
  },

  AuditEntry: {
    id: 'evt_01bb1968-a300-7b20-8c11-5e6f7a8b9c0d',
    position: 1_811,
    at: AT,
    action: 'PostScheduled',
    entityType: 'post',
    entityId: 'pst_1',
    actor: 'usr_ann',
    correlationId: 'req-7f3a',
    causationId: null,
    revisionBefore: null,
    revision: 0,
    data: { postId: 'pst_1', profileId: 'prof_bakery' },
    hash: HASH,
    previousHash: PREVIOUS,
  },
  AuditVerification: { ok: true, entries: 1_811, position: 1_811, hash: HASH, complete: true },
  EntityAtTime: { entityType: 'post', id: 'pst_1', at: AT, revision: 0, state: post },
  Subject: subject,
  Erasure: { ...subject, sent: [sent], nextCursor: null },
  SentPersonalData: sent,
};

/** What a JSON answer of the schema that is referred to looks like; undefined when it has no name here. */
export function answerExample({ $ref }: { readonly $ref?: unknown }): unknown {
  const name = String($ref).split('/').at(-1)!;
  const one = byName[name.replace(/Page$/, '')];
  return name.endsWith('Page') ? { data: [one], nextCursor: null } : one;
}

/** What `/health/ready` answers while an engine is away. */
export const unavailable = {
  status: 'unavailable',
  parts: { ...engines, bus: { ok: false, detail: 'connect ECONNREFUSED 10.0.0.7:9092' } },
};
