import { plus, instant, type DataOf } from '#kernel';
import type { Rendered } from '#webhook-contracts';
import type { PostEvent, SettledDestination } from '#publishing';
import { delivered, recorded, ACTOR, AT } from './recorded';

// CONTRACTS §2, row by row: one fact in the domain, and what each contract makes of it. A body is told by its type
// and its data, whatever the envelope calls them.

const at = instant(AT);
const postId = 'pst_1';
const [instagram, linkedin] = [
  { destinationId: 'dst_1', accountId: 'acct_1', platform: 'instagram' },
  { destinationId: 'dst_2', accountId: 'acct_2', platform: 'linkedin' },
];
const content = { text: 'Hello', mediaIds: [] };
const published = { platformPostId: '178', url: 'https://instagram.com/p/178' };
const refused = { error: 'Token expired', errorCode: 'token_expired' };
const ok = (to = instagram, thisRound = true): SettledDestination => ({ ...to, ...published, ok: true, thisRound });
const no = (to = linkedin, thisRound = true): SettledDestination => ({ ...to, ...refused, ok: false, thisRound });
const settled = (...outcomes: SettledDestination[]): DataOf<PostEvent, 'PostPublished'> => {
  const count = outcomes.filter((outcome) => outcome.ok).length;
  return {
    postId,
    campaignId: null,
    published: count,
    failed: outcomes.length - count,
    total: outcomes.length,
    round: 1,
    outcomes,
  };
};

const facts = {
  'one destination published': [recorded('DestinationPublished', { postId, ...instagram, attempt: 1, ...published })],
  'one destination failed for good': [
    recorded('DestinationFailed', { postId, ...linkedin, attempts: 3, ...refused, retryable: true }),
  ],
  'a retryable failure that will be tried again': [
    recorded('DestinationAttemptFailed', { postId, ...linkedin, attempt: 1, ...refused, retryAt: plus(at, 60_000) }),
  ],
  'post settled, all published': [recorded('PostPublished', settled(ok(), ok(linkedin)))],
  'post settled, some failed': [recorded('PostPartiallyPublished', settled(ok(), no()))],
  'post settled, all failed': [recorded('PostFailed', settled(no(instagram), no()))],
  'post settled again, some failed in an earlier round': [
    recorded('PostPartiallyPublished', settled(ok(), no(linkedin, false))),
  ],
  'post queued': [
    recorded('PostScheduled', {
      postId,
      profileId: 'prof_1',
      content,
      destinations: [
        { id: 'dst_1', accountId: 'acct_1', platform: 'instagram' },
        { id: 'dst_2', accountId: 'acct_2', platform: 'linkedin' },
        { id: 'dst_3', accountId: 'acct_3', platform: 'instagram' },
      ],
      scheduledAt: at,
      campaignId: null,
    }),
  ],
  'post due': [recorded('DestinationDue', { postId, ...instagram, attempt: 1, content })],
  'campaign: every post settled': [
    recorded('CampaignCompleted', { campaignId: 'cmp_1', totalPosts: 3, successCount: 2, failedCount: 1 }),
  ],
  'account linked': [
    recorded('AccountConnected', {
      accountId: 'acct_1',
      platform: 'instagram',
      username: 'band',
      profileId: 'prof_1',
      credentialExpiresAt: null,
    }),
  ],
  'account unlinked, or token expired or revoked': [
    recorded('AccountDisconnected', { accountId: 'acct_1', platform: 'instagram', reason: 'token_expired' }),
  ],
  'credential 72 h from expiry': [
    recorded('CredentialExpiring', { accountId: 'acct_1', platform: 'instagram', expiresAt: at }),
  ],
  'media ready': [recorded('MediaProcessed', { mediaId: 'med_1', kind: 'image', url: 'https://x/y', bytes: 7 })],
} as const;

type Word = readonly [type: string, data: object];
const results = {
  instagram: { ok: true, platformPostId: '178' },
  linkedin: { ok: false, error: 'Token expired' },
};
const allRefused = {
  instagram: { ok: false, error: 'Token expired' },
  linkedin: { ok: false, error: 'Token expired' },
};
const failure = { destinationId: 'dst_2', platform: 'linkedin', error: 'Token expired' };
const reason = 'All platforms rejected the post';
const queued = { postId, scheduledAt: AT, platforms: ['instagram', 'linkedin'], profileId: 'prof_1' };
const disconnected = { accountId: 'acct_1', platform: 'instagram', reason: 'token_expired' };
const completed = { campaignId: 'cmp_1', totalPosts: 3, successCount: 2, failedCount: 1 };
const media = { mediaId: 'med_1', kind: 'image', url: 'https://x/y', bytes: 7 };

const table: Record<keyof typeof facts, { readonly [contract: string]: readonly Word[] }> = {
  'one destination published': {
    core: [['post.destination_published', { postId, ...instagram, url: published.url, platformPostId: '178' }]],
    'post-ez': [],
    posteverywhere: [
      [
        'post.published',
        { postId, destinationId: 'dst_1', platform: 'instagram', url: published.url, platformPostId: '178' },
      ],
    ],
    postiz: [['PostPublished', { post_id: postId, platform: 'instagram', published_url: published.url }]],
    posternity: [],
  },
  'one destination failed for good': {
    core: [
      [
        'post.destination_failed',
        { postId, ...linkedin, error: 'Token expired', errorCode: 'token_expired', attempts: 3 },
      ],
    ],
    'post-ez': [],
    posteverywhere: [],
    postiz: [['PostFailed', { post_id: postId, platform: 'linkedin', error_message: 'Token expired' }]],
    posternity: [],
  },
  'a retryable failure that will be tried again': {
    core: [],
    'post-ez': [],
    posteverywhere: [],
    postiz: [],
    posternity: [],
  },
  'post settled, all published': {
    core: [['post.published', { postId, published: 2, failed: 0, total: 2 }]],
    'post-ez': [['post.published', { post_id: postId, published: 2, failed: 0, total: 2 }]],
    posteverywhere: [],
    postiz: [],
    posternity: [],
  },
  'post settled, some failed': {
    core: [['post.partial', { postId, published: 1, failed: 1, total: 2, platformResults: results }]],
    'post-ez': [
      [
        'post.published',
        {
          post_id: postId,
          published: 1,
          failed: 1,
          total: 2,
          platform_results: { ...results, instagram: { ok: true, platform_post_id: '178' } },
        },
      ],
    ],
    posteverywhere: [['post.failed', { postId, published: 1, total: 2, failed: [failure] }]],
    postiz: [],
    posternity: [],
  },
  'post settled, all failed': {
    core: [['post.failed', { postId, reason, platformResults: allRefused }]],
    'post-ez': [['post.failed', { post_id: postId, reason, platform_results: allRefused }]],
    posteverywhere: [
      [
        'post.failed',
        {
          postId,
          published: 0,
          total: 2,
          failed: [{ ...failure, destinationId: 'dst_1', platform: 'instagram' }, failure],
        },
      ],
    ],
    postiz: [],
    posternity: [],
  },
  'post settled again, some failed in an earlier round': {
    core: [['post.partial', { postId, published: 1, failed: 1, total: 2, platformResults: results }]],
    'post-ez': [
      [
        'post.published',
        {
          post_id: postId,
          published: 1,
          failed: 1,
          total: 2,
          platform_results: { ...results, instagram: { ok: true, platform_post_id: '178' } },
        },
      ],
    ],
    posteverywhere: [],
    postiz: [],
    posternity: [],
  },
  'post queued': {
    core: [['post.scheduled', queued]],
    'post-ez': [
      ['schedule.created', { post_id: postId, scheduled_at: AT, platforms: queued.platforms, profile_id: 'prof_1' }],
    ],
    posteverywhere: [],
    postiz: queued.platforms.map(
      (platform) => ['PostScheduled', { post_id: postId, scheduled_time: AT, platform }] as const,
    ),
    posternity: [],
  },
  'post due': { core: [], 'post-ez': [], posteverywhere: [], postiz: [], posternity: [] },
  'campaign: every post settled': {
    core: [['campaign.completed', completed]],
    'post-ez': [],
    posteverywhere: [],
    postiz: [['CampaignCompleted', { campaign_id: 'cmp_1', total_posts: 3, success_count: 2 }]],
    posternity: [['campaign.completed', completed]],
  },
  'account linked': {
    core: [
      ['account.connected', { accountId: 'acct_1', platform: 'instagram', username: 'band', profileId: 'prof_1' }],
    ],
    'post-ez': [],
    posteverywhere: [],
    postiz: [['AccountConnected', { account_id: 'acct_1', platform: 'instagram', user_id: ACTOR }]],
    posternity: [],
  },
  'account unlinked, or token expired or revoked': {
    core: [['account.disconnected', disconnected]],
    'post-ez': [],
    posteverywhere: [['account.disconnected', disconnected]],
    postiz: [],
    posternity: [],
  },
  'credential 72 h from expiry': {
    core: [['account.credential_expiring', { accountId: 'acct_1', platform: 'instagram', expiresAt: AT }]],
    'post-ez': [['credential.expiring', { account_id: 'acct_1', platform: 'instagram', expires_at: AT }]],
    posteverywhere: [],
    postiz: [],
    posternity: [],
  },
  'media ready': {
    core: [['media.processed', media]],
    'post-ez': [],
    posteverywhere: [['media.processed', media]],
    postiz: [],
    posternity: [['media.processed', media]],
  },
};

const rows = Object.entries(table).flatMap(([fact, columns]) =>
  Object.entries(columns).map(([contract, words]) => ({ fact: fact as keyof typeof facts, contract, words })),
);

describe('what each contract makes of a fact', () => {
  it.each(rows)('$fact, told by $contract', ({ fact, contract, words }) => {
    const said = delivered(contract, facts[fact]).map(({ body }) => {
      const { type, event, data, payload } = JSON.parse(body) as Record<string, unknown>;
      return [type ?? event, data ?? payload];
    });
    expect(said).toEqual(words);
  });

  it.each(rows)('$fact is the same in standard and cloudevents as in core', ({ fact }) => {
    const told = (name: string) =>
      delivered(name, facts[fact]).map(({ id, type, body }) => [id, type, JSON.parse(body).data]);
    expect(told('standard')).toEqual(told('core'));
    expect(told('cloudevents')).toEqual(told('core'));
  });
});

function theOnly(rendered: readonly Rendered[]): string {
  expect(rendered).toHaveLength(1);
  return rendered[0]!.body;
}

describe('platform results', () => {
  const again = { destinationId: 'dst_3', accountId: 'acct_3', platform: 'instagram' };

  it('keep both outcomes of two accounts on one platform, in the order of the destinations', () => {
    const body = theOnly(delivered('core', [recorded('PostPartiallyPublished', settled(ok(), no(again), no()))]));
    expect(Object.entries(JSON.parse(body).data.platformResults)).toEqual([
      ['instagram', { ok: true, platformPostId: '178' }],
      ['instagram:acct_3', { ok: false, error: 'Token expired' }],
      ['linkedin', { ok: false, error: 'Token expired' }],
    ]);
  });

  it('keep the keys of the map as they are in snake_case contracts', () => {
    const odd = { ...again, accountId: 'acct_someId-X' };
    const body = theOnly(delivered('post-ez', [recorded('PostPartiallyPublished', settled(ok(), no(odd)))]));
    expect(Object.keys(JSON.parse(body).data.platform_results)).toEqual(['instagram', 'instagram:acct_someId-X']);
  });

  it('tell fifty destinations on one platform apart', () => {
    const many = Array.from({ length: 50 }, (_, n) =>
      no({ destinationId: `dst_${n}`, accountId: `acct_${n}`, platform: 'instagram' }),
    );
    const body = theOnly(delivered('core', [recorded('PostFailed', settled(...many))]));
    expect(Object.keys(JSON.parse(body).data.platformResults)).toHaveLength(50);
  });
});

describe('ids', () => {
  it('are the same on every rendering, and differ between the messages of one event', () => {
    const ids = () => delivered('postiz', facts['post queued']).map(({ id }) => id);
    expect(ids()).toEqual(ids());
    expect(new Set(ids()).size).toBe(2);
    expect(ids()[0]).toBe(delivered('core', facts['post queued'])[0]!.id);
  });

  it('are new when a retried post settles again', () => {
    const rounds = [
      recorded('PostPublished', settled(ok()), { n: 1 }),
      recorded('PostPublished', settled(ok()), { n: 2 }),
    ];
    expect(new Set(delivered('core', rounds).map(({ id }) => id)).size).toBe(2);
  });
});

it('carries any text to the wire as it is: emoji, right-to-left, separators, quotes', () => {
  const reason = 'שלום "quoted" \\ \u2028 \u{1F680} é 𝒳';
  const cancelled = [recorded('PostCancelled', { postId, profileId: 'prof_1', reason, campaignId: null })];
  const body = theOnly(delivered('core', cancelled));
  expect(JSON.parse(body).data).toEqual({ postId, reason, profileId: 'prof_1' });
  expect(Buffer.from(body, 'utf8').toString('utf8')).toBe(body);
});
