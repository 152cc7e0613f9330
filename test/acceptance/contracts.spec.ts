import { eventually, Receiver, type Received } from '#testing';
import type { Client } from '../harness/client';
import { Standalone } from '../harness/standalone';
import { postEzSignature, standardSignature, wrongs, type Body, type Data } from './verify';

const CONTRACTS = ['core', 'standard', 'cloudevents', 'posternity', 'posteverywhere', 'postiz', 'post-ez'] as const;
type Contract = (typeof CONTRACTS)[number];

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** API.md: ids are UUIDv7, those of events too. */
const EVT = /^evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

it('agrees with the published vectors', () => {
  expect(
    standardSignature(
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      '1614265330',
      '{"test": 2432232314}',
    ),
  ).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  expect(
    postEzSignature(
      'pez_3kP0sT1edger_vector_secret_0123456789abcdef',
      '1716399601',
      '{"id":"evt_01","type":"post.published","occurred_at":"2026-05-22T18:00:01.000Z","data":{"post_id":"pst_1"}}',
    ),
  ).toBe('v1=ad7233f9d1bccfb926cb150716fc740f7f962e394543ce52c89fd53e873efc30');
});

describe('every contract, command in and webhook out', () => {
  let standalone: Standalone;
  let receiver: Receiver;
  let client: Client;
  const secrets = new Map<string, string>();
  const endpoints = new Map<string, string>();
  let workspace = '';

  /** In the order of their numbers: only an ordered endpoint is promised that they also come in it. */
  const sent = (name: string): Received[] =>
    receiver.on(`/${name}`).toSorted((one, other) => numberOf(one) - numberOf(other));
  const bodies = (name: string): Body[] => sent(name).map(({ body }) => JSON.parse(body) as Body);
  const typeOf = (body: Body): string => body['type'] ?? body['event'];
  const dataOf = (body: Body): Data => body['data'] ?? body['payload'];
  /** Waits until `contract` got `count` messages about what `about` says, and gives them as [type, data]. */
  const told = async (contract: Contract, about: string, count: number): Promise<[string, Data][]> => {
    const those = () => bodies(contract).filter((body) => JSON.stringify(dataOf(body)).includes(`"${about}"`));
    await eventually(() => expect(those().map(typeOf)).toHaveLength(count));
    return those().map((body) => [typeOf(body), dataOf(body)]);
  };
  const post = async (id: string, accounts: [string, string][], more: object = {}): Promise<string[]> => {
    const made = await client.must<{ destinations: { id: string }[] }>(201, 'POST', '/posts', {
      id,
      profileId: 'prof_xyz',
      content: { text: 'Grüße 🎉' },
      destinations: accounts.map(([accountId, platform]) => ({ accountId, platform })),
      ...more,
    });
    return made.destinations.map(({ id: destination }) => destination);
  };
  const publish = (id: string, destination: string, n = 1): Promise<unknown> =>
    eventually(() =>
      client.must(200, 'POST', `/posts/${id}/destinations/${destination}/outcome`, {
        outcome: 'published',
        platformPostId: `${n}`,
        url: `https://x.example/p/${n}?ü=1`,
      }),
    );
  const fail = (
    id: string,
    destination: string,
    message = 'Token expired — reconnect your account',
  ): Promise<unknown> =>
    eventually(() =>
      client.must(200, 'POST', `/posts/${id}/destinations/${destination}/outcome`, {
        outcome: 'failed',
        error: { code: 'token_expired', message },
        retryable: false,
      }),
    );

  beforeAll(async () => {
    standalone = await Standalone.start({ PUBLISHER: 'none' });
    receiver = await Receiver.open();
    const made = await standalone
      .client()
      .must<{ id: string; apiKey: string }>(201, 'POST', '/workspaces', { name: 'Ünïcode & Co' });
    workspace = made.id;
    client = standalone.client(made.apiKey);
    for (const name of [...CONTRACTS, 'post-ez.second']) {
      const { id, signingSecret } = await client.endpoint(receiver.url(`/${name}`), { contract: name.split('.')[0] });
      secrets.set(name, signingSecret);
      endpoints.set(name, id);
    }
    for (const [id, platform, username] of [
      ['acct_a', 'instagram', 'alice'],
      ['acct_b', 'linkedin', 'bob'],
      ['acct_c', 'instagram', 'carol'],
    ])
      await client.must(
        201,
        'POST',
        '/accounts',
        { id, platform, username, profileId: 'prof_xyz' },
        { headers: { 'x-actor': 'usr_alice' } },
      );
  });
  afterAll(async () => {
    await receiver.close();
    await standalone.remove();
  });

  it('gives secrets of the promised form', () => {
    for (const [name, secret] of secrets)
      if (name.startsWith('post-ez')) expect(secret).toMatch(/^pez_[A-Za-z0-9_-]{43}$/);
      else {
        expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]+=*$/);
        expect(Buffer.from(secret.slice(6), 'base64').length).toBeGreaterThanOrEqual(24);
      }
  });

  it('lists the contracts with their ladder and time-out', async () => {
    const { data } = await client.must<{ data: Body[] }>(200, 'GET', '/webhooks/contracts');
    const long = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400];
    const short = [60, 300, 900, 3600];
    expect(
      Object.fromEntries(data.map((one) => [one['name'], [one['retryDelaysSeconds'], one['timeoutSeconds']]])),
    ).toEqual({
      core: [long, 15],
      standard: [long, 15],
      cloudevents: [long, 15],
      posternity: [[0, ...short], 30],
      posteverywhere: [short, 15],
      postiz: [short, 15],
      'post-ez': [[30, 120, 600, 3600, 21600], 10],
    });
    for (const one of data)
      expect(Object.keys(one).sort()).toEqual([
        'name',
        'retryDelaysSeconds',
        'signature',
        'timeoutSeconds',
        'types',
        'version',
      ]);
    const types = (name: string) => [...data.find((one) => one['name'] === name)!['types']].sort();
    expect(types('post-ez')).toEqual([
      'credential.expiring',
      'post.failed',
      'post.published',
      'schedule.created',
      'webhook.test',
    ]);
    expect(types('posteverywhere')).toEqual([
      'account.disconnected',
      'media.processed',
      'post.failed',
      'post.published',
      'webhook.test',
    ]);
    expect(types('postiz')).toEqual([
      'AccountConnected',
      'CampaignCompleted',
      'PostFailed',
      'PostPublished',
      'PostScheduled',
      'webhook.test',
    ]);
    expect(types('core')).toEqual(
      `post.scheduled post.rescheduled post.cancelled post.published post.partial post.failed post.destination_published post.destination_failed
      campaign.progressed campaign.completed campaign.generation_progressed campaign.generation_completed account.connected account.disconnected
      account.credential_expiring media.processed team.member_invited team.member_joined team.role_changed subscription.upgraded payment.succeeded
      subscription.downgraded subscription.cancelled payment.failed image.generation_started image.generation_completed image.generation_failed
      video.processing_started video.processing_completed video.processing_failed batch.progressed operation.failed design.review_requested
      design.approved design.revision_requested brand.compliant brand.violated asset.organized asset.delivered location_content.completed
      location.recommendations_ready gallery.updated content.culturally_adapted content.cultural_review_required region.performance_updated
      webhook.endpoint_disabled webhook.delivery_parked webhook.test`
        .split(/\s+/)
        .sort(),
    );
    expect(types('standard')).toEqual(types('core'));
    expect(types('cloudevents')).toEqual(types('core'));
    expect(types('posternity')).toEqual(
      types('core').filter((type) =>
        /^(image|video|batch|campaign|design|brand|asset|location|location_content|gallery|content|region|operation|media)\.|^webhook\.test$/.test(
          type,
        ),
      ),
    );
  });

  it('tells an account linked, by whom', async () => {
    const data = { accountId: 'acct_a', platform: 'instagram', username: 'alice', profileId: 'prof_xyz' };
    expect(await told('core', 'acct_a', 1)).toEqual([['account.connected', data]]);
    expect(await told('standard', 'acct_a', 1)).toEqual([['account.connected', data]]);
    expect(await told('cloudevents', 'acct_a', 1)).toEqual([['account.connected', data]]);
    expect(await told('postiz', 'acct_a', 1)).toEqual([
      ['AccountConnected', { account_id: 'acct_a', platform: 'instagram', user_id: 'usr_alice' }],
    ]);
  });

  it('tells a post settled in part on every reading of it', async () => {
    const id = 'pst_part-1_X';
    const destinations = await post(id, [
      ['acct_a', 'instagram'],
      ['acct_b', 'linkedin'],
      ['acct_c', 'instagram'],
    ]);
    const [a, b, c] = destinations as [string, string, string];
    await publish(id, a, 17854321000123);
    await fail(id, b);
    await publish(id, c, 2);
    const settled = {
      postId: id,
      published: 2,
      failed: 1,
      total: 3,
      platformResults: {
        instagram: { ok: true, platformPostId: '17854321000123' },
        linkedin: { ok: false, error: 'Token expired — reconnect your account' },
        'instagram:acct_c': { ok: true, platformPostId: '2' },
      },
    };
    const scheduled = {
      postId: id,
      scheduledAt: expect.stringMatching(ISO),
      platforms: ['instagram', 'linkedin'],
      profileId: 'prof_xyz',
    };
    const published = (destinationId: string, accountId: string, n: string) => ({
      postId: id,
      destinationId,
      accountId,
      platform: 'instagram',
      url: `https://x.example/p/${n}?ü=1`,
      platformPostId: n,
    });
    const core = [
      ['post.scheduled', scheduled],
      ['post.destination_published', published(a, 'acct_a', '17854321000123')],
      [
        'post.destination_failed',
        {
          postId: id,
          destinationId: b,
          accountId: 'acct_b',
          platform: 'linkedin',
          error: 'Token expired — reconnect your account',
          errorCode: 'token_expired',
          attempts: 1,
        },
      ],
      ['post.destination_published', published(c, 'acct_c', '2')],
      ['post.partial', settled],
    ];
    for (const contract of ['core', 'standard', 'cloudevents'] as const)
      expect(sorted(await told(contract, id, 5))).toEqual(sorted(core as [string, Data][]));
    expect(sorted(await told('post-ez', id, 2))).toEqual(
      sorted([
        [
          'schedule.created',
          {
            post_id: id,
            scheduled_at: expect.stringMatching(ISO),
            platforms: ['instagram', 'linkedin'],
            profile_id: 'prof_xyz',
          },
        ],
        [
          'post.published',
          {
            post_id: id,
            published: 2,
            failed: 1,
            total: 3,
            platform_results: {
              instagram: { ok: true, platform_post_id: '17854321000123' },
              linkedin: { ok: false, error: 'Token expired — reconnect your account' },
              'instagram:acct_c': { ok: true, platform_post_id: '2' },
            },
          },
        ],
      ]),
    );
    expect(sorted(await told('posteverywhere', id, 3))).toEqual(
      sorted([
        [
          'post.published',
          {
            postId: id,
            destinationId: a,
            platform: 'instagram',
            url: 'https://x.example/p/17854321000123?ü=1',
            platformPostId: '17854321000123',
          },
        ],
        [
          'post.published',
          {
            postId: id,
            destinationId: c,
            platform: 'instagram',
            url: 'https://x.example/p/2?ü=1',
            platformPostId: '2',
          },
        ],
        [
          'post.failed',
          {
            postId: id,
            published: 2,
            total: 3,
            failed: [{ destinationId: b, platform: 'linkedin', error: 'Token expired — reconnect your account' }],
          },
        ],
      ]),
    );
    expect(sorted(await told('postiz', id, 5))).toEqual(
      sorted([
        ['PostScheduled', { post_id: id, scheduled_time: expect.stringMatching(ISO), platform: 'instagram' }],
        ['PostScheduled', { post_id: id, scheduled_time: expect.stringMatching(ISO), platform: 'linkedin' }],
        [
          'PostPublished',
          { post_id: id, platform: 'instagram', published_url: 'https://x.example/p/17854321000123?ü=1' },
        ],
        ['PostPublished', { post_id: id, platform: 'instagram', published_url: 'https://x.example/p/2?ü=1' }],
        ['PostFailed', { post_id: id, platform: 'linkedin', error_message: 'Token expired — reconnect your account' }],
      ]),
    );
  });

  it('gives the first of several messages the id of the event, and each further one its own', () => {
    const ids = bodies('postiz')
      .filter((body) => body['event'] === 'PostScheduled')
      .map((body) => body['event_id'] as string);
    const event = bodies('core').find((body) => body['type'] === 'post.scheduled')!['id'] as string;
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(2);
    expect(ids).toContain(event);
  });

  it('tells a post published everywhere', async () => {
    const [a, b] = (await post('pst_all', [
      ['acct_a', 'instagram'],
      ['acct_b', 'linkedin'],
    ])) as [string, string];
    await publish('pst_all', a, 1);
    await publish('pst_all', b, 2);
    expect(find(await told('core', 'pst_all', 4), 'post.published')).toEqual([
      { postId: 'pst_all', published: 2, failed: 0, total: 2 },
    ]);
    expect(find(await told('post-ez', 'pst_all', 2), 'post.published')).toEqual([
      { post_id: 'pst_all', published: 2, failed: 0, total: 2 },
    ]);
    expect((await told('posteverywhere', 'pst_all', 2)).map(([type]) => type)).toEqual([
      'post.published',
      'post.published',
    ]);
    expect((await told('postiz', 'pst_all', 4)).map(([type]) => type).sort()).toEqual([
      'PostPublished',
      'PostPublished',
      'PostScheduled',
      'PostScheduled',
    ]);
  });

  it('tells a post failed everywhere, and after a retry only what was retried', async () => {
    const id = 'pst_none';
    const [a, b] = (await post(id, [
      ['acct_a', 'instagram'],
      ['acct_b', 'linkedin'],
    ])) as [string, string];
    await fail(id, a, 'Media aspect ratio not supported');
    await fail(id, b, 'Duplicate content');
    const failed = {
      postId: id,
      reason: expect.any(String),
      platformResults: {
        instagram: { ok: false, error: 'Media aspect ratio not supported' },
        linkedin: { ok: false, error: 'Duplicate content' },
      },
    };
    expect(find(await told('core', id, 4), 'post.failed')).toEqual([failed]);
    expect(find(await told('post-ez', id, 2), 'post.failed')).toEqual([
      { post_id: id, reason: expect.any(String), platform_results: failed.platformResults },
    ]);
    expect(await told('posteverywhere', id, 1)).toEqual([
      [
        'post.failed',
        {
          postId: id,
          published: 0,
          total: 2,
          failed: [
            { destinationId: a, platform: 'instagram', error: 'Media aspect ratio not supported' },
            { destinationId: b, platform: 'linkedin', error: 'Duplicate content' },
          ],
        },
      ],
    ]);
    expect(find(await told('postiz', id, 4), 'PostFailed')).toHaveLength(2);

    await client.must(200, 'POST', `/posts/${id}/retry`, { destinationIds: [b] });
    await publish(id, b, 9);
    expect(find(await told('core', id, 6), 'post.partial')).toEqual([
      {
        postId: id,
        published: 1,
        failed: 1,
        total: 2,
        platformResults: { instagram: failed.platformResults.instagram, linkedin: { ok: true, platformPostId: '9' } },
      },
    ]);
    expect(find(await told('post-ez', id, 3), 'post.published')).toHaveLength(1);
    expect(sorted((await told('postiz', id, 5)).slice(4))).toEqual([
      ['PostPublished', { post_id: id, platform: 'linkedin', published_url: 'https://x.example/p/9?ü=1' }],
    ]);
    await eventually(() => bodies('posteverywhere').some((body) => dataOf(body)['destinationId'] === b));

    await client.must(200, 'POST', `/posts/${id}/retry`);
    await fail(id, a, 'again');
    const announced = find(await told('core', id, 8), 'post.partial');
    expect(announced).toHaveLength(2);
    const ids = bodies('core')
      .filter((body) => body['type'] === 'post.partial' && dataOf(body)['postId'] === id)
      .map((body) => body['id']);
    expect(new Set(ids).size).toBe(2);
    const last = (await told('posteverywhere', id, 3)).at(-1)!;
    expect(last).toEqual([
      'post.failed',
      { postId: id, published: 1, total: 2, failed: [{ destinationId: a, platform: 'instagram', error: 'again' }] },
    ]);
  });

  it('tells reschedule and cancel, null where there is nothing to say', async () => {
    await post('pst_later', [['acct_a', 'instagram']], { scheduledAt: '2031-01-01T00:00:00+02:00' });
    await client.must(200, 'POST', '/posts/pst_later/reschedule', { scheduledAt: '2031-02-01T00:00:00.123456Z' });
    await client.must(200, 'POST', '/posts/pst_later/cancel', {});
    expect(await told('core', 'pst_later', 3)).toEqual([
      [
        'post.scheduled',
        {
          postId: 'pst_later',
          scheduledAt: '2030-12-31T22:00:00.000Z',
          platforms: ['instagram'],
          profileId: 'prof_xyz',
        },
      ],
      ['post.rescheduled', { postId: 'pst_later', scheduledAt: '2031-02-01T00:00:00.123Z', profileId: 'prof_xyz' }],
      ['post.cancelled', { postId: 'pst_later', reason: null, profileId: 'prof_xyz' }],
    ]);
    await post('pst_why', [['acct_a', 'instagram']], { scheduledAt: '2031-01-01T00:00:00Z' });
    await client.must(200, 'POST', '/posts/pst_why/cancel', { reason: 'typo "quoted" \u2028 🙃' });
    expect(find(await told('core', 'pst_why', 2), 'post.cancelled')).toEqual([
      { postId: 'pst_why', reason: 'typo "quoted" \u2028 🙃', profileId: 'prof_xyz' },
    ]);
  });

  it('tells a campaign through to its end', async () => {
    await client.must(201, 'POST', '/campaigns', { id: 'cmp_1', name: 'Launch', profileId: 'prof_xyz' });
    for (const id of ['pst_c1', 'pst_c2', 'pst_c3']) {
      const [a] = (await post(id, [['acct_a', 'instagram']], {
        campaignId: 'cmp_1',
        ...(id === 'pst_c3' && { scheduledAt: '2031-01-01T00:00:00Z' }),
      })) as [string];
      if (id === 'pst_c1') await publish(id, a);
      else if (id === 'pst_c2') await fail(id, a);
      else await client.must(200, 'POST', `/posts/${id}/cancel`);
    }
    await client.must(200, 'POST', '/campaigns/cmp_1/close');
    const completed = { campaignId: 'cmp_1', totalPosts: 2, successCount: 1, failedCount: 1 };
    await eventually(() => expect(find(about(bodies('core'), 'cmp_1'), 'campaign.completed')).toEqual([completed]));
    await eventually(() =>
      expect(find(about(bodies('core'), 'cmp_1'), 'campaign.progressed')).toContainEqual({
        campaignId: 'cmp_1',
        settled: 2,
        total: expect.any(Number),
        succeeded: 1,
      }),
    );
    await eventually(() =>
      expect(find(about(bodies('posternity'), 'cmp_1'), 'campaign.completed')).toEqual([completed]),
    );
    expect(await told('postiz', 'cmp_1', 1)).toEqual([
      ['CampaignCompleted', { campaign_id: 'cmp_1', total_posts: 2, success_count: 1 }],
    ]);
  });

  it('tells team, billing, media and accounts', async () => {
    const as = { headers: { 'x-actor': 'usr_owner123', 'x-correlation-id': 'corr-team:1' } };
    await client.must(
      201,
      'POST',
      '/team/invitations',
      { id: 'inv_001', email: 'colleague@example.com', role: 'editor' },
      as,
    );
    await client.must(200, 'POST', '/team/invitations/inv_001/accept', { userId: 'usr_456' }, as);
    await client.must(200, 'POST', '/team/members/usr_456/role', { role: 'admin' }, as);
    await client.must(200, 'POST', '/subscription/plan', { plan: 'pro', effectiveAt: '2031-04-22T14:25:00Z' });
    await client.must(200, 'POST', '/subscription/plan', { plan: 'starter', effectiveAt: '2031-05-22T14:25:00Z' });
    await client.must(200, 'POST', '/subscription/cancel', { effectiveAt: '2031-06-22T14:25:00Z' });
    for (const [invoiceId, outcome] of [
      ['in_1PqR2sXYZ', 'succeeded'],
      ['in_2', 'failed'],
    ])
      await client.call('POST', '/subscription/payments', {
        invoiceId,
        amountCents: 2900,
        currency: 'usd',
        outcome,
        ...(outcome === 'failed' && { reason: 'card_declined' }),
      });
    await client.must(201, 'POST', '/media', { id: 'med_1', kind: 'image' });
    await client.must(200, 'POST', '/media/med_1/processed', { url: 'https://m.example/1.png', bytes: 1234567 });
    await client.must(201, 'POST', '/accounts', {
      id: 'acct_exp',
      platform: 'twitter',
      username: 'x',
      profileId: 'prof_xyz',
      credentialExpiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    });
    await client.must(200, 'POST', '/accounts/acct_c/disconnect', { reason: 'token_revoked' });
    await eventually(() =>
      expect(bodies('core').map(typeOf)).toEqual(
        expect.arrayContaining([
          'team.member_invited',
          'team.member_joined',
          'team.role_changed',
          'subscription.upgraded',
          'subscription.cancelled',
          'payment.succeeded',
          'payment.failed',
          'media.processed',
          'account.credential_expiring',
          'account.disconnected',
        ]),
      ),
    );
    const one = (type: string) => find(about(bodies('core'), ''), type);
    expect(one('team.member_invited')).toEqual([
      { inviteId: 'inv_001', email: 'colleague@example.com', role: 'editor', invitedBy: 'usr_owner123' },
    ]);
    expect(one('team.member_joined')).toEqual([{ userId: 'usr_456', inviteId: 'inv_001', role: 'editor' }]);
    expect(one('team.role_changed')).toEqual([
      { userId: 'usr_456', oldRole: 'editor', newRole: 'admin', changedBy: 'usr_owner123' },
    ]);
    expect(one('subscription.upgraded')).toEqual([
      { workspaceId: workspace, fromPlan: 'free', toPlan: 'pro', effectiveAt: '2031-04-22T14:25:00.000Z' },
    ]);
    expect(one('payment.succeeded')).toEqual([
      { workspaceId: workspace, amountCents: 2900, currency: 'usd', invoiceId: 'in_1PqR2sXYZ' },
    ]);
    expect(one('payment.failed')[0]).toMatchObject({
      workspaceId: workspace,
      amountCents: 2900,
      currency: 'usd',
      invoiceId: 'in_2',
    });
    expect(one('subscription.cancelled')[0]).toMatchObject({
      workspaceId: workspace,
      effectiveAt: '2031-06-22T14:25:00.000Z',
    });
    expect(one('media.processed')).toEqual([
      { mediaId: 'med_1', kind: 'image', url: 'https://m.example/1.png', bytes: 1234567 },
    ]);
    expect(one('account.disconnected')).toEqual([
      { accountId: 'acct_c', platform: 'instagram', reason: 'token_revoked' },
    ]);
    expect(one('account.credential_expiring')).toEqual([
      { accountId: 'acct_exp', platform: 'twitter', expiresAt: expect.stringMatching(ISO) },
    ]);
    expect(await told('post-ez', 'acct_exp', 1)).toEqual([
      ['credential.expiring', { account_id: 'acct_exp', platform: 'twitter', expires_at: expect.stringMatching(ISO) }],
    ]);
    expect(await told('posteverywhere', 'acct_c', 1)).toEqual([
      ['account.disconnected', { accountId: 'acct_c', platform: 'instagram', reason: 'token_revoked' }],
    ]);
    expect(find(await told('posteverywhere', 'med_1', 1), 'media.processed')).toEqual(one('media.processed'));
    expect(find(await told('posternity', 'med_1', 1), 'media.processed')).toEqual(one('media.processed'));
  });

  it('tells the studio to core and posternity alike', async () => {
    const must = (path: string, body: object, status = 200) => client.must(status, 'POST', path, body);
    await must('/operations', { id: 'op_i', kind: 'image', region: 'eu-west' }, 201);
    await must('/operations/op_i/complete', { url: 'https://i.example/1' });
    await must('/operations', { id: 'op_v', kind: 'video' }, 201);
    await must('/operations/op_v/fail', { error: { code: 'gpu', message: 'No GPU', detail: 'rack 4' } });
    await must('/operations', { id: 'op_b', kind: 'batch', total: 10, region: 'apac' }, 201);
    await must('/operations/op_b/progress', { done: 4, failed: 1 });
    await must('/operations', { id: 'op_l', kind: 'location_content', region: 'de' }, 201);
    await must('/operations/op_l/complete', { contentId: 'cnt_1' });
    await must('/operations', { id: 'op_r', kind: 'location_recommendations', region: 'de' }, 201);
    await must('/operations/op_r/complete', { contentIds: ['cnt_1', 'cnt_2'] });
    await must('/operations', { id: 'op_g', kind: 'campaign_generation', campaignId: 'cmp_1', total: 2 }, 201);
    await must('/operations/op_g/progress', { done: 1 });
    await must('/operations/op_g/complete', { assets: ['ast_1', 'ast_2'] });
    await must('/designs', { id: 'dsg_1', clientId: 'client_9' }, 201);
    await must('/designs/dsg_1/submit', {});
    await must('/designs/dsg_1/request-revision', { note: 'bigger logo' });
    await must('/designs/dsg_1/submit', {});
    await must('/designs/dsg_1/approve', {});
    await must('/designs/dsg_1/compliance', { guidelines: ['logo'], violations: [] });
    await must('/designs/dsg_1/compliance', { guidelines: ['logo'], violations: ['too small'], manualReview: true });
    await must('/assets/ast_1/organize', { clientId: 'client_9', folder: '/2026/Q4', campaignId: 'cmp_1' });
    await must('/assets/ast_1/deliver', { clientId: 'client_9', folder: '/out' });
    await must('/galleries/gal_1/update', { region: 'de', added: ['ast_1'], removed: [] });
    await must('/content/cnt_1/adaptation', { region: 'jp', locale: 'ja-JP' });
    await must('/content/cnt_2/adaptation', { region: 'jp', locale: 'ja-JP', reasons: ['colour'] });
    await must('/regions/de/performance', { period: '2026-11', impressions: 10, engagements: 2, contentCount: 1 });
    const expected: [string, Data][] = [
      ['image.generation_started', { operationId: 'op_i', region: 'eu-west' }],
      ['image.generation_completed', { operationId: 'op_i', region: 'eu-west', url: 'https://i.example/1' }],
      ['video.processing_started', { operationId: 'op_v' }],
      ['video.processing_failed', { operationId: 'op_v', error: 'No GPU' }],
      [
        'operation.failed',
        { operationId: 'op_v', kind: 'video', error: { code: 'gpu', message: 'No GPU', detail: 'rack 4' } },
      ],
      ['batch.progressed', { operationId: 'op_b', region: 'apac', done: 4, failed: 1, total: 10 }],
      ['location_content.completed', { operationId: 'op_l', region: 'de', contentId: 'cnt_1' }],
      ['location.recommendations_ready', { operationId: 'op_r', region: 'de', contentIds: ['cnt_1', 'cnt_2'] }],
      ['campaign.generation_progressed', { campaignId: 'cmp_1', done: 1, total: 2 }],
      ['campaign.generation_completed', { campaignId: 'cmp_1', assets: ['ast_1', 'ast_2'] }],
      ['design.review_requested', { designId: 'dsg_1', clientId: 'client_9', revision: 1 }],
      ['design.revision_requested', { designId: 'dsg_1', clientId: 'client_9', revision: 1, note: 'bigger logo' }],
      ['design.review_requested', { designId: 'dsg_1', clientId: 'client_9', revision: 2 }],
      ['design.approved', { designId: 'dsg_1', clientId: 'client_9', revision: 2 }],
      ['brand.compliant', { designId: 'dsg_1', guidelines: ['logo'], manualReview: false }],
      ['brand.violated', { designId: 'dsg_1', guidelines: ['logo'], violations: ['too small'], manualReview: true }],
      ['asset.organized', { assetId: 'ast_1', clientId: 'client_9', folder: '/2026/Q4', campaignId: 'cmp_1' }],
      ['asset.delivered', { assetId: 'ast_1', clientId: 'client_9', folder: '/out' }],
      ['gallery.updated', { galleryId: 'gal_1', region: 'de', added: ['ast_1'], removed: [] }],
      ['content.culturally_adapted', { contentId: 'cnt_1', region: 'jp', locale: 'ja-JP' }],
      ['content.cultural_review_required', { contentId: 'cnt_2', region: 'jp', locale: 'ja-JP', reasons: ['colour'] }],
      [
        'region.performance_updated',
        { region: 'de', period: '2026-11', impressions: 10, engagements: 2, contentCount: 1 },
      ],
    ];
    const studio = /^(image|video|batch|campaign\.gen|operation|design|brand|asset|location|gallery|content|region)/;
    for (const contract of ['core', 'posternity'] as const) {
      const those = () =>
        bodies(contract)
          .filter((body) => studio.test(typeOf(body)))
          .map((body): [string, Data] => [typeOf(body), dataOf(body)]);
      await eventually(() => expect(those().length).toBeGreaterThanOrEqual(expected.length)).catch(() => undefined);
      expect(sorted(those())).toEqual(sorted(expected));
    }
    const metadata = bodies('posternity').find((body) => body['type'] === 'image.generation_started')!['metadata'];
    expect(metadata).toEqual({ workspaceId: workspace, correlationId: expect.any(String), region: 'eu-west' });
    const plain = bodies('posternity').find((body) => body['type'] === 'video.processing_started')!['metadata'];
    expect(plain).toEqual({ workspaceId: workspace, correlationId: expect.any(String) });
  });

  it('has sent all that it will, by the list of what each should have received', async () => {
    const last = 'region.performance_updated';
    await eventually(() => expect(bodies('core').map(typeOf)).toContain(last));
    for (const [name, id] of endpoints) {
      const { data } = await client.must<{ data: { sequence: number }[] }>(
        200,
        'GET',
        `/webhooks/endpoints/${id}/events?limit=200`,
      );
      await eventually(() => expect(sent(name).map(numberOf)).toEqual(data.map(({ sequence }) => sequence)));
    }
  });

  it('wraps each body as its contract says, keys and order', () => {
    const keys: Record<Contract, string[]> = {
      core: ['id', 'type', 'createdAt', 'data'],
      standard: ['type', 'timestamp', 'data'],
      cloudevents: [],
      posternity: ['id', 'type', 'createdAt', 'metadata', 'data'],
      posteverywhere: ['id', 'type', 'createdAt', 'data'],
      postiz: ['event_id', 'event', 'occurred_at', 'payload'],
      'post-ez': ['id', 'type', 'occurred_at', 'data'],
    };
    for (const contract of CONTRACTS) {
      if (contract === 'cloudevents') continue;
      for (const body of bodies(contract)) {
        expect(Object.keys(body)).toEqual(keys[contract]);
        expect(body['createdAt'] ?? body['occurred_at'] ?? body['timestamp']).toMatch(ISO);
        if (contract !== 'standard') expect(body['id'] ?? body['event_id']).toMatch(EVT);
      }
    }
    for (const body of bodies('cloudevents')) {
      expect(body).toMatchObject({
        specversion: '1.0',
        id: expect.stringMatching(EVT),
        source: `urn:postledger:workspace:${workspace}`,
        time: expect.stringMatching(ISO),
      });
      expect(Object.keys(body).every((key) => /^[a-z0-9]+$/.test(key))).toBe(true);
    }
    const scheduled = bodies('cloudevents').find((body) => body['type'] === 'post.scheduled')!;
    expect(scheduled['subject']).toBe(scheduled['data']['postId']);
    const connected = bodies('cloudevents').find((body) => body['type'] === 'account.connected')!;
    expect(connected['subject']).toBe(connected['data']['accountId']);
  });

  it('signs every one of them', () => {
    for (const [name, secret] of secrets) {
      const all = receiver.on(`/${name}`);
      expect(all.length).toBeGreaterThan(4);
      for (const one of all) {
        expect(wrongs(one, secret)).toEqual([]);
        const body = JSON.parse(one.body) as Body;
        expect(one.headers['content-type']).toMatch(
          name === 'cloudevents' ? /^application\/cloudevents\+json/ : /^application\/json/,
        );
        if (name.startsWith('post-ez')) {
          expect(one.headers['x-postez-signature']).toMatch(/^t=\d+,v1=[0-9a-f]{64}$/);
          expect(one.headers['x-postez-event']).toBe(body['type']);
        } else if (name !== 'standard') expect(one.headers['webhook-id']).toBe(body['event_id'] ?? body['id']);
        expect(one.headers['webhook-replay']).toBeUndefined();
      }
      const sequences = all.map(({ headers }) => Number(headers['webhook-sequence'])).sort((a, b) => a - b);
      expect(sequences).toEqual(sequences.map((_, n) => n + 1));
    }
  });

  it('has one id per event on every contract but post-ez, where each delivery has its own', () => {
    const core = bodies('core').map((body) => body['id'] as string);
    expect(new Set(core).size).toBe(core.length);
    expect(new Set(receiver.on('/standard').map(({ headers }) => headers['webhook-id']))).toEqual(new Set(core));
    expect(new Set(bodies('cloudevents').map((body) => body['id']))).toEqual(new Set(core));
    for (const body of bodies('posternity')) expect(core).toContain(body['id']);
    const first = bodies('post-ez').map((body) => body['id']);
    const second = bodies('post-ez.second').map((body) => body['id']);
    expect(first).toHaveLength(second.length);
    expect(new Set([...first, ...second]).size).toBe(first.length + second.length);
  });

  it('sends a test on every contract, signed, without a sequence number', async () => {
    for (const contract of CONTRACTS) {
      const before = receiver.on(`/${contract}`).length;
      const answer = await client.must<Body>(200, 'POST', `/webhooks/endpoints/${endpoints.get(contract)}/test`);
      expect(answer).toMatchObject({ delivered: true, statusCode: 204, durationMs: expect.any(Number) });
      const sent = receiver.on(`/${contract}`)[before]!;
      expect(wrongs(sent, secrets.get(contract)!)).toEqual([]);
      expect(sent.headers['webhook-sequence']).toBeUndefined();
      const body = JSON.parse(sent.body) as Body;
      expect(typeOf(body)).toBe('webhook.test');
      expect(dataOf(body)).toEqual({ message: expect.any(String) });
    }
  });

  it('describes every type of every contract with a schema and an example that fits the envelope', async () => {
    const { data: contracts } = await client.must<{ data: Body[] }>(200, 'GET', '/webhooks/contracts');
    for (const contract of CONTRACTS) {
      const { data } = await client.must<{ data: Body[] }>(200, 'GET', `/webhooks/event-types?contract=${contract}`);
      expect(data.map((one) => one['type']).sort()).toEqual(
        [...contracts.find((one) => one['name'] === contract)!['types']].sort(),
      );
      for (const one of data) {
        expect(Object.keys(one).sort()).toEqual(['contract', 'description', 'example', 'schema', 'type']);
        expect(typeOf(one['example'])).toBe(one['type']);
        expect(one['schema'].required).toEqual(
          expect.arrayContaining(Object.keys(one['example']).filter((key) => key !== 'subject')),
        );
      }
    }
    const { data } = await client.must<{ data: Body[] }>(200, 'GET', '/webhooks/event-types');
    expect(new Set(data.map((one) => one['contract']))).toEqual(new Set(CONTRACTS));
  });
});

const numberOf = ({ headers }: Received): number => Number(headers['webhook-sequence'] ?? Infinity);
const sorted = (all: [string, Data][]): [string, Data][] => [...all].sort((a, b) => key(a).localeCompare(key(b)));
const key = ([type, data]: [string, Data]): string =>
  `${type} ${data['destinationId'] ?? ''} ${data['platform'] ?? ''} ${data['published_url'] ?? ''} ${data['revision'] ?? ''}`;
const find = (all: [string, Data][], type: string): Data[] =>
  all.filter(([name]) => name === type).map(([, data]) => data);
const about = (all: Body[], id: string): [string, Data][] =>
  all
    .filter((body) => JSON.stringify(body).includes(id))
    .map((body) => [body['type'] ?? body['event'], body['data'] ?? body['payload']]);
