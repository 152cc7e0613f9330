import { EventStoreUnavailableError, streamName } from '#event-store';
import { MINUTE, plus, systemClock, uuidv7, type Instant } from '#kernel';
import { campaignAggregate } from '#publishing';
import { keyedViews } from '#read-models';
import { eventually } from '#testing';
import { bootApi, type BootedApi } from '../testing/boot-api';

type Step = readonly [path: string, body?: object];

/** Two things of each list, and what each filter takes to show the one and the other. */
const LISTS: readonly (readonly [
  view: string,
  path: string,
  ids: readonly [string, string],
  filters: Readonly<Record<string, readonly [string, string]>>,
  steps: readonly Step[],
])[] = [
  [
    'accounts',
    '/accounts',
    ['acct_f1', 'acct_f2'],
    { status: ['connected', 'disconnected'], platform: ['instagram', 'mastodon'], profileId: ['prof_f1', 'prof_f2'] },
    [
      ['/accounts', { id: 'acct_f1', platform: 'instagram', username: 'n', profileId: 'prof_f1' }],
      ['/accounts', { id: 'acct_f2', platform: 'mastodon', username: 'n', profileId: 'prof_f2' }],
      ['/accounts/acct_f2/disconnect', { reason: 'left' }],
    ],
  ],
  [
    'assets',
    '/assets',
    ['ast_f1', 'ast_f2'],
    { status: ['organized', 'delivered'], clientId: ['c1', 'c2'], campaignId: ['cmp_f1', 'cmp_f2'] },
    [
      ['/assets/ast_f1/organize', { clientId: 'c1', folder: 'f', campaignId: 'cmp_f1' }],
      ['/assets/ast_f2/deliver', { clientId: 'c2', folder: 'f', campaignId: 'cmp_f2' }],
    ],
  ],
  [
    'campaigns',
    '/campaigns',
    ['cmp_f1', 'cmp_f2'],
    { status: ['open', 'completed'], profileId: ['prof_f1', 'prof_f2'] },
    [
      ['/campaigns', { id: 'cmp_f1', name: 'n', profileId: 'prof_f1' }],
      ['/campaigns', { id: 'cmp_f2', name: 'n', profileId: 'prof_f2' }],
      ['/campaigns/cmp_f2/close'],
    ],
  ],
  [
    'content',
    '/content',
    ['cnt_f1', 'cnt_f2'],
    { region: ['r1', 'r2'] },
    [
      ['/content/cnt_f1/adaptation', { region: 'r1', locale: 'da-DK' }],
      ['/content/cnt_f1/adaptation', { region: 'r0', locale: 'sv-SE' }],
      ['/content/cnt_f2/adaptation', { region: 'r2', locale: 'da-DK' }],
    ],
  ],
  [
    'designs',
    '/designs',
    ['dsg_f1', 'dsg_f2'],
    { clientId: ['c1', 'c2'], status: ['draft', 'in_review'] },
    [
      ['/designs', { id: 'dsg_f1', clientId: 'c1' }],
      ['/designs', { id: 'dsg_f2', clientId: 'c2' }],
      ['/designs/dsg_f2/submit'],
    ],
  ],
  [
    'galleries',
    '/galleries',
    ['gal_f1', 'gal_f2'],
    { region: ['r1', 'r2'] },
    [
      ['/galleries/gal_f1/update', { region: 'r1', added: ['x'], removed: [] }],
      ['/galleries/gal_f2/update', { region: 'r2', added: ['x'], removed: [] }],
    ],
  ],
  [
    'media',
    '/media',
    ['med_f1', 'med_f2'],
    { kind: ['image', 'video'], status: ['added', 'processed'] },
    [
      ['/media', { id: 'med_f1', kind: 'image' }],
      ['/media', { id: 'med_f2', kind: 'video' }],
      ['/media/med_f2/processed', { url: 'https://example.com/m', bytes: 5 }],
    ],
  ],
  [
    'operations',
    '/operations',
    ['op_f1', 'op_f2'],
    {
      kind: ['batch', 'image'],
      status: ['running', 'failed'],
      region: ['r1', 'r2'],
      campaignId: ['cmp_f1', 'cmp_f2'],
    },
    [
      ['/operations', { id: 'op_f1', kind: 'batch', total: 1, region: 'r1', campaignId: 'cmp_f1' }],
      ['/operations', { id: 'op_f2', kind: 'image', region: 'r2', campaignId: 'cmp_f2' }],
      ['/operations/op_f2/fail', { error: { code: 'x', message: 'y' } }],
    ],
  ],
  [
    'payments',
    '/subscription/payments',
    ['in_f1', 'in_f2'],
    { outcome: ['succeeded', 'failed'] },
    [
      ['/subscription/payments', { invoiceId: 'in_f1', amountCents: 1, currency: 'EUR', outcome: 'succeeded' }],
      ['/subscription/payments', { invoiceId: 'in_f2', amountCents: 1, currency: 'EUR', outcome: 'failed' }],
    ],
  ],
  [
    'team_invitations',
    '/team/invitations',
    ['inv_f1', 'inv_f2'],
    { status: ['pending', 'accepted'] },
    [
      ['/team/invitations', { id: 'inv_f1', email: 'a@b.co', role: 'viewer' }],
      ['/team/invitations', { id: 'inv_f2', email: 'a@b.co', role: 'viewer' }],
      ['/team/invitations/inv_f2/accept', { userId: 'usr_f0' }],
    ],
  ],
  [
    'team_members',
    '/team/members',
    ['usr_f1', 'usr_f2'],
    { role: ['viewer', 'admin'] },
    [
      ['/team/invitations', { id: 'inv_f3', email: 'a@b.co', role: 'viewer' }],
      ['/team/invitations', { id: 'inv_f4', email: 'a@b.co', role: 'viewer' }],
      ['/team/invitations/inv_f3/accept', { userId: 'usr_f1' }],
      ['/team/invitations/inv_f4/accept', { userId: 'usr_f2' }],
      ['/team/members/usr_f2/role', { role: 'admin' }],
    ],
  ],
  [
    'webhook_endpoints',
    '/webhooks/endpoints',
    ['whe_f1', 'whe_f2'],
    { status: ['enabled', 'disabled'], contract: ['core', 'standard'] },
    [
      ['/webhooks/endpoints', { id: 'whe_f1', targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] }],
      [
        '/webhooks/endpoints',
        { id: 'whe_f2', targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'], contract: 'standard' },
      ],
      ['/webhooks/endpoints/whe_f2/disable'],
    ],
  ],
];

/** Of a post: all but its id and its campaign. */
const TO_INSTAGRAM = {
  profileId: 'p',
  content: { text: 'x' },
  destinations: [{ accountId: 'acct_1', platform: 'instagram' }],
  scheduledAt: '2035-01-01T00:00:00Z',
};

describe('campaigns, team, billing and studio over HTTP', () => {
  let api: BootedApi;
  beforeAll(async () => (api = await bootApi({ views: true })));
  afterAll(() => api.close());

  const post = (path: string, body?: object, headers?: Record<string, string>) => api.send('POST', path, body, headers);
  const get = (path: string) => api.send('GET', path);

  it('closes a campaign once, after which no post joins it', async () => {
    await post('/accounts', { id: 'acct_1', platform: 'instagram', username: 'n', profileId: 'p' });
    expect(await post('/campaigns', { id: 'cmp_1', name: 'Spring', profileId: 'p' })).toMatchObject({
      status: 201,
      body: { id: 'cmp_1', status: 'open', total: 0 },
    });
    const scheduled = (campaignId: string, id: string) =>
      post('/posts', {
        id,
        campaignId,
        ...TO_INSTAGRAM,
      });
    expect(await scheduled('cmp_1', 'pst_1')).toMatchObject({ status: 201, body: { campaignId: 'cmp_1' } });
    expect(await scheduled('cmp_none', 'pst_2')).toMatchObject({ status: 422, body: { code: 'CAMPAIGN_UNKNOWN' } });
    expect(await post('/campaigns/cmp_1/close')).toMatchObject({ status: 200, body: { status: 'closed', total: 1 } });
    expect(await post('/campaigns/cmp_1/close')).toMatchObject({ status: 200, headers: { etag: expect.any(String) } });
    expect(await scheduled('cmp_1', 'pst_3')).toMatchObject({ status: 409, body: { code: 'CAMPAIGN_CLOSED' } });
    expect(await post('/campaigns', { id: 'cmp_2', name: 'Empty', profileId: 'p' })).toMatchObject({ status: 201 });
    expect(await post('/campaigns/cmp_2/close')).toMatchObject({ body: { status: 'completed' } });
    expect((await get('/campaigns?status=completed')).at('data', 0, 'id')).toBe('cmp_2');
  });

  it('gives a place in a campaign back when its post is refused', async () => {
    await post('/campaigns', { id: 'cmp_3', name: 'c', profileId: 'p' });
    expect(
      await post('/posts', {
        campaignId: 'cmp_3',
        profileId: 'p',
        content: { text: 'x' },
        destinations: [{ accountId: 'acct_1', platform: 'instagram' }],
        scheduledAt: '2020-01-01T00:00:00Z',
      }),
    ).toMatchObject({ status: 422, body: { code: 'PUBLISH_TIME_PASSED' } });
    expect((await get('/campaigns/cmp_3')).body).toMatchObject({ total: 0 });
    const [left, joined] = (await get('/audit-log?entityId=cmp_3')).at<{ id: string }[]>('data');
    expect(left).toMatchObject({ action: 'CampaignPostLeft', causationId: joined!.id });
    expect(joined).toMatchObject({ action: 'CampaignPostJoined', causationId: null });
  });

  /** Once, when the next post that is asked for has its place in the campaign and does not stand yet. */
  const onNextSchedule = (happens: () => Promise<void>) => {
    const { commands } = api.running.engines;
    const handle = commands.handle.bind(commands) as (...all: unknown[]) => Promise<never>;
    const handling = jest.spyOn(commands, 'handle').mockImplementation(async (...all: unknown[]) => {
      if ((all[2] as { type: string }).type !== 'SchedulePost') return handle(...all);
      handling.mockRestore();
      await happens();
      return handle(...all);
    });
  };
  const away = async () => {
    throw new EventStoreUnavailableError('away');
  };

  it('gives a place back that was taken for a post of another campaign', async () => {
    for (const id of ['cmp_own', 'cmp_other']) await post('/campaigns', { id, name: 'c', profileId: 'p' });
    const schedule = (campaignId: string) =>
      post('/posts', {
        id: 'pst_own',
        campaignId,
        ...TO_INSTAGRAM,
      });
    expect((await schedule('cmp_own')).status).toBe(201);
    expect(await schedule('cmp_other')).toMatchObject({ status: 409, body: { code: 'POST_ALREADY_EXISTS' } });
    expect(await post('/campaigns/cmp_other/close')).toMatchObject({ body: { status: 'completed', total: 0 } });
    expect(await post('/campaigns/cmp_own/close')).toMatchObject({ body: { status: 'closed', total: 1 } });
  });

  it('keeps the place of a post of which it is not known what became of it', async () => {
    await post('/campaigns', { id: 'cmp_unknown', name: 'c', profileId: 'p' });
    onNextSchedule(away);
    const schedule = () =>
      post('/posts', {
        id: 'pst_unknown',
        campaignId: 'cmp_unknown',
        ...TO_INSTAGRAM,
      });
    expect((await schedule()).status).toBe(503);
    expect(await post('/campaigns/cmp_unknown/close')).toMatchObject({ body: { status: 'closed', total: 1 } });
    expect(await get('/campaigns/cmp_unknown%2Fpst_unknown')).toMatchObject({
      status: 404,
      body: { code: 'CAMPAIGN_NOT_FOUND' },
    });
  });

  it('refuses a post that is tried again when its place is given up and its campaign complete', async () => {
    await post('/campaigns', { id: 'cmp_late', name: 'c', profileId: 'p' });
    const { commands } = api.running.engines;
    onNextSchedule(away);
    const body = {
      id: 'pst_late',
      campaignId: 'cmp_late',
      ...TO_INSTAGRAM,
    };
    const schedule = () => post('/posts', body, { 'idempotency-key': 'late' });
    expect((await schedule()).status).toBe(503);
    // As the policy does when the time of the place is over: nobody else here tells the campaign anything.
    const at = plus(systemClock(), 11 * MINUTE);
    const by = { at, actor: 'system' };
    const context = { workspace: api.workspace, correlationId: 'c', causationId: null, commandId: uuidv7(), ...by };
    const over = { type: 'LeaveCampaign', campaignId: 'cmp_late', postId: 'pst_late', request: null, ...by } as const;
    await commands.handle(campaignAggregate, 'cmp_late', over, context);
    expect(await post('/campaigns/cmp_late/close')).toMatchObject({ body: { status: 'completed', total: 0 } });
    expect(await schedule()).toMatchObject({ status: 409, body: { code: 'CAMPAIGN_CLOSED' } });
    expect((await get('/posts/pst_late')).status).toBe(404);
  });

  it('keeps a place for a post that is tried again from now on, however long ago it was tried first', async () => {
    await post('/campaigns', { id: 'cmp_again', name: 'c', profileId: 'p' });
    const { db, store } = api.running.engines;
    onNextSchedule(away);
    const body = {
      campaignId: 'cmp_again',
      ...TO_INSTAGRAM,
    };
    const schedule = () => post('/posts', body, { 'idempotency-key': 'again' });
    expect((await schedule()).status).toBe(503);
    await db.query("update api.idempotency set at = at - interval '1 hour' where key = 'again'");
    expect((await schedule()).status).toBe(201);
    const joined = (await store.read(streamName('campaign', api.workspace, 'cmp_again'))).at(-1)!;
    expect(joined.type).toBe('CampaignPostJoined');
    expect((joined.data as { reservedUntil: Instant }).reservedUntil > systemClock()).toBe(true);
  });

  describe('with two requests that schedule a post of the same id in a campaign', () => {
    const schedule = (id: string, scheduledAt = TO_INSTAGRAM.scheduledAt) =>
      post('/posts', {
        id: `pst_${id}`,
        campaignId: `cmp_${id}`,
        ...TO_INSTAGRAM,
        scheduledAt,
      });
    it('leaves the place to the one whose post it became', async () => {
      await post('/campaigns', { id: 'cmp_faster', name: 'c', profileId: 'p' });
      onNextSchedule(async () => {
        expect((await schedule('faster')).status).toBe(201);
        expect(await post('/campaigns/cmp_faster/close')).toMatchObject({ body: { status: 'closed', total: 1 } });
      });
      expect(await schedule('faster')).toMatchObject({ status: 409, body: { code: 'POST_ALREADY_EXISTS' } });
      expect(await get('/campaigns/cmp_faster')).toMatchObject({ body: { status: 'closed', total: 1 } });
    });

    it('leaves the place to the one that found it taken when the one that took it is refused', async () => {
      await post('/campaigns', { id: 'cmp_found', name: 'c', profileId: 'p' });
      const { commands } = api.running.engines;
      const handle = commands.handle.bind(commands) as (...all: unknown[]) => Promise<never>;
      const goOn: (() => void)[] = [];
      const handling = jest.spyOn(commands, 'handle').mockImplementation(async (...all: unknown[]) => {
        if ((all[2] as { type: string }).type === 'SchedulePost') await new Promise<void>((done) => goOn.push(done));
        return handle(...all);
      });
      try {
        const first = schedule('found', '2020-01-01T00:00:00Z');
        await eventually(() => expect(goOn).toHaveLength(1));
        const second = schedule('found');
        await eventually(() => expect(goOn).toHaveLength(2));
        goOn[0]!();
        expect((await first).status).toBe(422);
        const closed = await post('/campaigns/cmp_found/close');
        goOn[1]!();
        expect((await second).status).toBe(201);
        expect(closed).toMatchObject({ body: { status: 'closed', total: 1 } });
      } finally {
        handling.mockRestore();
      }
      expect(await get('/campaigns/cmp_found')).toMatchObject({ body: { status: 'closed', total: 1 } });
    });

    it('leaves the place to the one that took it when the other is refused', async () => {
      await post('/campaigns', { id: 'cmp_refused', name: 'c', profileId: 'p' });
      onNextSchedule(async () => {
        expect((await schedule('refused', '2020-01-01T00:00:00Z')).status).toBe(422);
        expect(await post('/campaigns/cmp_refused/close')).toMatchObject({ body: { status: 'closed', total: 1 } });
      });
      expect((await schedule('refused')).status).toBe(201);
      expect(await get('/campaigns/cmp_refused')).toMatchObject({ body: { status: 'closed', total: 1 } });
    });

    it('leaves the place to nobody when both are refused', async () => {
      await post('/campaigns', { id: 'cmp_both', name: 'c', profileId: 'p' });
      const past = '2020-01-01T00:00:00Z';
      onNextSchedule(async () => {
        expect((await schedule('both', past)).status).toBe(422);
        expect(await get('/campaigns/cmp_both')).toMatchObject({ body: { status: 'open', total: 1 } });
      });
      expect((await schedule('both', past)).status).toBe(422);
      expect(await post('/campaigns/cmp_both/close')).toMatchObject({ body: { status: 'completed', total: 0 } });
    });

    it('leaves the place to nobody when one died, was tried again and is refused, as the other is', async () => {
      await post('/campaigns', { id: 'cmp_died', name: 'c', profileId: 'p' });
      const body = { id: 'pst_died', campaignId: 'cmp_died', ...TO_INSTAGRAM, scheduledAt: '2020-01-01T00:00:00Z' };
      const again = () => post('/posts', body, { 'idempotency-key': 'died' });
      onNextSchedule(away);
      expect((await again()).status).toBe(503);
      expect((await schedule('died', body.scheduledAt)).status).toBe(422);
      expect(await post('/campaigns/cmp_died/close')).toMatchObject({ body: { status: 'closed', total: 1 } });
      expect((await again()).status).toBe(422);
      expect(await get('/campaigns/cmp_died')).toMatchObject({ body: { status: 'completed', total: 0 } });
    });

    it('leaves no place in any campaign but the one that the post is in, however many ask at once', async () => {
      for (const id of ['cmp_one', 'cmp_two']) await post('/campaigns', { id, name: 'c', profileId: 'p' });
      const asked = ['cmp_one', 'cmp_two', 'cmp_one', 'cmp_two', 'cmp_one', 'cmp_two'];
      const answers = await Promise.all(
        asked.map((campaignId) => post('/posts', { id: 'pst_crowd', campaignId, ...TO_INSTAGRAM })),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
      const taken = asked[answers.findIndex(({ status }) => status === 201)]!;
      for (const id of ['cmp_one', 'cmp_two'])
        expect(await post(`/campaigns/${id}/close`)).toMatchObject({
          body: id === taken ? { status: 'closed', total: 1 } : { status: 'completed', total: 0 },
        });
    });
  });

  it('invites, lets join and changes roles', async () => {
    expect(
      await post(
        '/team/invitations',
        { id: 'inv_1', email: 'ada@example.com', role: 'editor' },
        { 'x-actor': 'usr_owner' },
      ),
    ).toMatchObject({ status: 201, body: { id: 'inv_1', status: 'pending', invitedBy: 'usr_owner' } });
    expect(await post('/team/invitations/inv_1/accept', { userId: 'usr_ada' })).toMatchObject({
      status: 200,
      body: { status: 'accepted', acceptedBy: 'usr_ada' },
    });
    expect(await get('/team/invitations/inv_1')).toMatchObject({ body: { status: 'accepted' } });
    expect(await post('/team/invitations/inv_1/accept', { userId: 'usr_bob' })).toMatchObject({
      status: 409,
      body: { code: 'INVITATION_ALREADY_ACCEPTED' },
    });
    expect(await post('/team/members/usr_ada/role', { role: 'admin' })).toMatchObject({
      status: 200,
      body: { userId: 'usr_ada', role: 'admin' },
    });
    expect(await get('/team/members/usr_ada')).toMatchObject({ body: { role: 'admin' } });
    expect(await post('/team/members/usr_bob/role', { role: 'admin' })).toMatchObject({
      status: 404,
      body: { code: 'MEMBER_NOT_FOUND' },
    });
    expect(await get('/team/members?role=admin')).toMatchObject({ body: { data: [{ userId: 'usr_ada' }] } });
    expect(await post('/team/invitations', { email: "o'brien@example.ie", role: 'viewer' })).toMatchObject({
      status: 201,
      body: { email: "o'brien@example.ie" },
    });
    for (const email of ['no', 'a@b c', 'a\u0000@b'])
      expect(await post('/team/invitations', { email, role: 'viewer' })).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '/email' }] },
      });
  });

  it('changes the plan from its time on, and counts an invoice once', async () => {
    const unchanged = await get('/subscription');
    expect(unchanged).toMatchObject({ status: 200, body: { plan: 'free', upcoming: null } });
    expect(unchanged.headers).not.toHaveProperty('etag');
    expect(await post('/subscription/plan', { plan: 'pro', effectiveAt: '2035-01-01T00:00:00Z' })).toMatchObject({
      status: 200,
      body: { plan: 'free', upcoming: { plan: 'pro', effectiveAt: '2035-01-01T00:00:00.000Z' } },
    });
    expect(await post('/subscription/plan', { plan: 'starter' })).toMatchObject({ body: { plan: 'starter' } });
    const payment = {
      invoiceId: 'in_1',
      amountCents: 4_900,
      currency: 'EUR',
      outcome: 'failed',
      reason: 'card declined',
    };
    const first = await post('/subscription/payments', payment);
    expect(first).toMatchObject({ status: 200, body: payment });
    expect((await post('/subscription/payments', payment)).headers['etag']).toBe(first.headers['etag']);
    expect(await get('/subscription/payments/in_1')).toMatchObject({ status: 200, body: payment });
    expect(await post('/subscription/payments', { ...payment, amountCents: 1, reason: 'other' })).toMatchObject({
      status: 200,
      body: payment,
    });
    const effectiveAt = '2035-01-01T00:00:00.000Z';
    expect(await post('/subscription/cancel', { effectiveAt })).toMatchObject({
      body: { plan: 'starter', upcoming: { plan: 'free', effectiveAt } },
    });
    expect(await post('/subscription/cancel')).toMatchObject({ body: { plan: 'free' } });
  });

  it('runs operations through their states', async () => {
    expect(await post('/operations', { id: 'op_1', kind: 'batch', total: 3 })).toMatchObject({
      status: 201,
      body: { status: 'running', done: 0, total: 3 },
    });
    expect(await post('/operations/op_1/progress', { done: 1 })).toMatchObject({
      status: 200,
      body: { done: 1, failed: 0 },
    });
    expect(await post('/operations/op_1/progress', { done: 1, failed: 1 })).toMatchObject({ body: { failed: 1 } });
    expect(await post('/operations/op_1/progress', { done: 2 })).toMatchObject({
      status: 200,
      body: { done: 2, failed: 1 },
    });
    expect(await post('/operations/op_1/progress', { done: 9 })).toMatchObject({
      status: 409,
      body: { code: 'PROGRESS_EXCEEDS_TOTAL' },
    });
    expect(await post('/operations/op_1/fail', { error: { code: 'x', message: 'y', detail: 'z' } })).toMatchObject({
      status: 200,
      body: { status: 'failed', error: { code: 'x', message: 'y', detail: 'z' } },
    });
    expect(await post('/operations/op_1/complete', {})).toMatchObject({
      status: 409,
      body: { code: 'OPERATION_NOT_RUNNING' },
    });
    expect(await post('/operations', { kind: 'sculpture' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/kind' }] },
    });
    expect(await post('/operations/op_1/fail', { error: 'boom' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/error' }] },
    });
    expect(await get('/operations?kind=batch&status=failed')).toMatchObject({ body: { data: [{ id: 'op_1' }] } });
  });

  it('shows what an operation gave once it has completed', async () => {
    const given = { url: 'https://example.com/v', contentId: 'cnt_7', contentIds: ['cnt_7', 'cnt_8'], assets: ['a'] };
    const started = await post('/operations', { id: 'op_given', kind: 'batch', total: 2 });
    for (const name of [...Object.keys(given), 'error']) expect(started.body).not.toHaveProperty(name);
    expect(await post('/operations/op_given/complete', given)).toMatchObject({ status: 200, body: given });
    expect(await get('/operations/op_given')).toMatchObject({ body: { ...given, status: 'completed' } });
  });

  it('takes for the content of an operation only ids of content, and points to the first that is none', async () => {
    await post('/operations', { id: 'op_ids', kind: 'location_recommendations', region: 'de' });
    const complete = (contentIds: unknown) => post('/operations/op_ids/complete', { contentIds });
    for (const [contentIds, pointer] of [
      [['zz'], '/contentIds/0'],
      [['cnt_1', 'ast_1', 'cnt_'], '/contentIds/1'],
      [['cnt_1', `cnt_${'x'.repeat(65)}`], '/contentIds/1'],
    ] as const)
      expect(await complete(contentIds)).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
    const contentIds = [`cnt_${'x'.repeat(64)}`, 'cnt_1', 'cnt_1'];
    expect(await complete(contentIds)).toMatchObject({ status: 200, body: { contentIds } });
  });

  it.each(LISTS)('lists %s by every filter', async (view, path, [one, other], filters, steps) => {
    for (const [step, body] of steps) expect([200, 201]).toContain((await post(step, body)).status);
    // Of posts another suite tells.
    expect(Object.keys(filters)).toEqual(Object.keys(keyedViews.find(({ name }) => name === view)!.filters));
    const listed = async (name: string, value: string) =>
      (await get(`${path}?limit=200&${name}=${encodeURIComponent(value)}`))
        .at<{ id?: string; userId?: string; invoiceId?: string }[]>('data')
        .map(({ id, userId, invoiceId }) => id ?? userId ?? invoiceId)
        .filter((id) => id === one || id === other);
    for (const [name, [ofOne, ofOther]] of Object.entries(filters)) {
      expect([name, await listed(name, ofOne)]).toEqual([name, [one]]);
      expect([name, await listed(name, ofOther)]).toEqual([name, [other]]);
    }
  });

  it('knows a test of the filters of every list', () =>
    expect([...LISTS.map(([view]) => view), 'posts'].sort()).toEqual(
      keyedViews.flatMap(({ name, filters }) => (Object.keys(filters).length > 0 ? [name] : [])).sort(),
    ));

  it('reviews designs, and says whether they keep to the brand', async () => {
    expect(await post('/designs', { id: 'dsg_1', clientId: 'client_7', name: 'Poster' })).toMatchObject({
      status: 201,
      body: { name: 'Poster', revision: 0, compliance: null },
    });
    expect(await post('/designs/dsg_1/submit', {})).toMatchObject({ body: { status: 'in_review', revision: 1 } });
    expect(await post('/designs/dsg_1/request-revision', { note: 'bigger logo' })).toMatchObject({
      body: { status: 'revision_requested', note: 'bigger logo' },
    });
    expect(await post('/designs/dsg_1/submit')).toMatchObject({ body: { revision: 2 } });
    expect(await post('/designs/dsg_1/approve', { note: 'at last' })).toMatchObject({
      body: { status: 'approved', note: 'at last' },
    });
    expect(await post('/designs/dsg_1/compliance', { guidelines: [], violations: ['font'] })).toMatchObject({
      body: { compliance: { guidelines: [], violations: ['font'], manualReview: false } },
    });
    expect(
      await post('/designs/dsg_1/compliance', { guidelines: ['logo'], violations: [], manualReview: true }),
    ).toMatchObject({ body: { compliance: { guidelines: ['logo'], violations: [], manualReview: true } } });
    expect(await post('/designs/dsg_1/approve')).toMatchObject({ status: 409, body: { code: 'DESIGN_NOT_IN_REVIEW' } });
    expect(await get('/designs/dsg_1')).toMatchObject({ body: { status: 'approved', revision: 2 } });
  });

  it('brings assets, galleries, content and regions into being with the first command', async () => {
    expect(await post('/media', { id: 'med_1', kind: 'image' })).toMatchObject({
      status: 201,
      body: { status: 'added', url: null },
    });
    expect(await post('/media/med_1/processed', { url: 'https://example.com/m', bytes: 5 })).toMatchObject({
      status: 200,
      body: { status: 'processed', bytes: 5 },
    });
    expect(await post('/media', { kind: 'video', url: 'https://example.com/v', bytes: 7 })).toMatchObject({
      status: 201,
      body: { status: 'added', url: 'https://example.com/v', bytes: 7 },
    });
    expect(await post('/assets/ast_1/organize', { clientId: 'c', folder: 'a/b' })).toMatchObject({
      status: 200,
      body: { id: 'ast_1', status: 'organized', folder: 'a/b', campaignId: null },
    });
    expect(await post('/assets/ast_1/deliver', { clientId: 'c', folder: 'out' })).toMatchObject({
      status: 200,
      body: { status: 'delivered' },
    });
    expect(await post('/galleries/gal_1/update', { region: 'eu', added: ['x', 'y'], removed: ['x'] })).toMatchObject({
      status: 200,
      body: { items: ['y'] },
    });
    expect(
      await post('/content/cnt_1/adaptation', { region: 'eu', locale: 'da-DK', reasons: ['idiom'] }),
    ).toMatchObject({ status: 200, body: { adaptations: [{ status: 'review_required' }] } });
    for (const [path, body] of [
      ['/assets/nope/organize', { clientId: 'c', folder: 'f' }],
      ['/galleries/nope/update', { region: 'eu', added: [], removed: [] }],
      ['/content/nope/adaptation', { region: 'eu', locale: 'da-DK' }],
    ] as const)
      expect(await post(path, body)).toMatchObject({ status: 400, body: { errors: [{ pointer: '/id' }] } });
    for (const path of [
      '/assets/ast_9',
      '/galleries/gal_9',
      '/content/cnt_9',
      '/regions/none',
      '/media/med_9',
      '/designs/dsg_9',
      '/campaigns/cmp_9',
    ])
      expect((await get(path)).status).toBe(404);
  });

  it('holds If-Match against the one invitation or member, not against the team', async () => {
    const tag = async (path: string) => ({ 'if-match': (await get(path)).headers['etag'] as string });
    const [one, two] = ['/team/invitations/inv_part1', '/team/invitations/inv_part2'];
    for (const id of ['inv_part1', 'inv_part2'])
      await post('/team/invitations', { id, email: 'a@b.co', role: 'viewer' });
    const invited = await tag(one);
    expect((await post(`${two}/accept`, { userId: 'usr_part2' })).status).toBe(200);
    expect((await post(`${one}/accept`, { userId: 'usr_part1' }, invited)).status).toBe(200);
    // It says where the invitation is, not the team.
    for (const [path, userId] of [
      [one, 'usr_part1'],
      [two, 'usr_part2'],
    ] as const)
      expect(await post(`${path}/accept`, { userId }, invited)).toMatchObject({
        status: 412,
        body: { detail: `It is at revision ${JSON.parse((await tag(path))['if-match']) as string}.` },
      });
    for (const [path, body, code] of [
      ['/team/invitations/inv_none/accept', { userId: 'usr_none' }, 'INVITATION_NOT_FOUND'],
      ['/team/members/usr_none/role', { role: 'viewer' }, 'MEMBER_NOT_FOUND'],
    ] as const)
      expect(await post(path, body, invited)).toMatchObject({ status: 404, body: { code } });

    const member = '/team/members/usr_part2';
    const joined = await tag(member);
    const inviteId = 'inv_part1';
    expect((await post('/team/members/usr_part1/role', { role: 'admin' })).body).toMatchObject({ inviteId });
    const changed = await post(`${member}/role`, { role: 'admin' }, joined);
    expect([changed.status, changed.headers['etag']]).toEqual([200, (await get(member)).headers['etag']]);
    expect(changed.at('inviteId')).toBe('inv_part2');
    expect(await post(`${member}/role`, { role: 'viewer' }, joined)).toMatchObject({
      status: 412,
      body: { code: 'REVISION_STALE' },
    });

    await post('/team/members/usr_part1/role', { role: 'owner' });
    const unchanged = await post(`${member}/role`, { role: 'admin' });
    const revision = JSON.parse(unchanged.headers['etag'] as string) as string;
    expect((await get(`${member}?minRevision=${revision}`)).headers['etag']).toBe(changed.headers['etag']);
  });

  it('refuses nobody by If-Match for what others do to other members at the same moment', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) {
      await post('/team/invitations', { id: `inv_at_once_${name}`, email: 'a@b.co', role: 'viewer' });
      await post(`/team/invitations/inv_at_once_${name}/accept`, { userId: `usr_at_once_${name}` });
    }
    const members = names.map((name) => `/team/members/usr_at_once_${name}`);
    const tags = await Promise.all(members.map(async (path) => (await get(path)).headers['etag'] as string));
    const changes = members.map((path, index) => post(`${path}/role`, { role: 'admin' }, { 'if-match': tags[index]! }));
    expect((await Promise.all(changes)).map(({ status }) => status)).toEqual(names.map(() => 200));
  });

  it('answers a payment that counts already with the revision of that payment', async () => {
    const pay = (invoiceId: string) =>
      post('/subscription/payments', { invoiceId, amountCents: 1, currency: 'usd', outcome: 'succeeded' });
    const first = await pay('in_tag1');
    await pay('in_tag2');
    const again = await pay('in_tag1');
    expect(again.headers['etag']).toBe(first.headers['etag']);
    expect((await get('/subscription/payments/in_tag1')).headers['etag']).toBe(first.headers['etag']);
  });

  it('holds If-Match against the one payment, not against the subscription', async () => {
    const pay = (invoiceId: string, outcome: string, tag?: string) =>
      post(
        '/subscription/payments',
        { invoiceId, amountCents: 1, currency: 'usd', outcome },
        tag ? { 'if-match': tag } : {},
      );
    const failed = (await pay('in_part1', 'failed')).headers['etag'];
    await pay('in_part2', 'failed');
    const paid = await pay('in_part1', 'succeeded', `"999", ${failed}`);
    expect(paid).toMatchObject({ status: 200, body: { outcome: 'succeeded' } });
    expect((await get('/subscription/payments/in_part1')).headers['etag']).toBe(paid.headers['etag']);
    for (const [invoiceId, outcome] of [
      ['in_part1', 'failed'],
      ['in_part3', 'failed'],
    ] as const)
      expect(await pay(invoiceId, outcome, failed)).toMatchObject({ status: 412, body: { code: 'REVISION_STALE' } });
  });

  it('says at which revision the subscription is, and when it is not so far', async () => {
    await post('/subscription/plan', { plan: 'business', effectiveAt: '2049-01-01T00:00:00Z' });
    const revision = JSON.parse((await get('/subscription')).headers['etag'] as string) as string;
    expect((await get(`/subscription?minRevision=${revision}`)).status).toBe(200);
    const next = `/subscription?minRevision=${Number(revision) + 1}`;
    expect(await api.send('GET', next, undefined, { prefer: 'wait=0' })).toMatchObject({
      status: 504,
      body: { code: 'READ_MODEL_BEHIND' },
    });
  });

  it('refuses control characters in the name of a region, wherever it stands', async () => {
    for (const region of ['\u001f', 'a\nb', '\u007f', '\u0085'])
      for (const [path, body] of [
        ['/galleries/gal_named/update', { region, added: [], removed: [] }],
        ['/content/cnt_named/adaptation', { region, locale: 'da-DK' }],
        ['/operations', { kind: 'batch', region }],
      ] as const)
        expect(await post(path, body)).toMatchObject({ status: 400, body: { errors: [{ pointer: '/region' }] } });
    expect(await post('/operations', { kind: 'batch', region: null })).toMatchObject({ status: 201 });
  });

  it('takes a region that looks like a path, in every plane of Unicode', async () => {
    const performance = { period: '2026-04', impressions: 1, engagements: 0, contentCount: 1 };
    const named = (name: string) => post(`/regions/${encodeURIComponent(name)}/performance`, performance);
    expect((await named('北'.repeat(200))).status).toBe(200);
    expect((await named('🌍'.repeat(200))).status).toBe(200);
    for (const name of ['x'.repeat(201), '🌍'.repeat(201), '\u001f', 'a\nb', 'a\u007f'])
      expect(await named(name)).toMatchObject({ status: 400, body: { errors: [{ pointer: '/region' }] } });
    for (const region of ['emea/nordics', 'a:b-c', '北欧 𝔘 🇩🇰', '100%']) {
      const path = `/regions/${encodeURIComponent(region)}`;
      const performance = { period: '2026-04', impressions: Number.MAX_SAFE_INTEGER, engagements: 0, contentCount: 1 };
      expect(await post(`${path}/performance`, performance)).toMatchObject({
        status: 200,
        body: { region, ...performance },
      });
      expect(await get(path)).toMatchObject({ status: 200, body: { region } });
      expect(await get(`/audit-log?entityType=region&entityId=${encodeURIComponent(region)}`)).toMatchObject({
        body: { data: [{ entityId: region }] },
      });
    }
  });
});
