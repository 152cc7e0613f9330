import { eventually } from '#testing';
import { Client } from '../harness/client';
import { Standalone } from '../harness/standalone';

let standalone: Standalone;
let api: Client;
beforeAll(async () => {
  standalone = await Standalone.start({ PUBLISHER: 'none' });
  api = standalone.client();
});
afterAll(() => standalone.remove());

const created = async (path: string, body: object): Promise<string> =>
  (await api.must<{ id: string }>(201, 'POST', path, body)).id;

it('counts an invoice once per outcome, and answers with what counts', async () => {
  const invoice = { invoiceId: 'inv_1', amountCents: 100, currency: 'EUR' };
  const pay = (more: object) => api.post('/subscription/payments', { ...invoice, ...more });
  const first = await pay({ outcome: 'succeeded' });
  const again = await pay({ outcome: 'succeeded', amountCents: 999 });
  expect(again).toMatchObject({ status: 200, body: { amountCents: 100 } });
  expect(again.headers.get('etag')).toBe(first.headers.get('etag'));
  expect(await pay({ outcome: 'failed', reason: 'Card declined' })).toMatchObject({
    status: 200,
    body: { ...invoice, outcome: 'failed', reason: 'Card declined' },
  });
});

it('keeps the plan in force until the next one takes effect', async () => {
  expect(await api.get('/subscription')).toMatchObject({ status: 200, body: { plan: 'free' } });
  await api.must(200, 'POST', '/subscription/plan', { plan: 'pro' });
  await api.must(200, 'POST', '/subscription/plan', { plan: 'business', effectiveAt: '2035-01-01T02:00:00+02:00' });
  expect((await api.get('/subscription')).body).toEqual({
    plan: 'pro',
    upcoming: { plan: 'business', effectiveAt: '2035-01-01T00:00:00.000Z' },
  });
});

it('shows a plan from the moment on that was announced for it, and cancels as announced', async () => {
  const { apiKey } = await api.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Plans' });
  const mine = standalone.client(apiKey);
  const change = (plan: string, more: object = {}) => mine.post('/subscription/plan', { plan, ...more });
  expect(await change('free')).toMatchObject({ status: 409, body: { code: 'PLAN_UNCHANGED' } });
  expect((await mine.post('/subscription/cancel')).status).toBe(409);
  expect((await change('gold')).status).toBe(400);
  const effectiveAt = new Date(Date.now() + 4_000).toISOString();
  expect((await change('pro', { effectiveAt })).body).toEqual({ plan: 'free', upcoming: { plan: 'pro', effectiveAt } });
  await eventually(async () => expect((await mine.get('/subscription')).body).toEqual({ plan: 'pro', upcoming: null }));
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(effectiveAt));
  expect((await change('starter')).body).toEqual({ plan: 'starter', upcoming: null });
  const end = { effectiveAt: '2035-01-01T00:00:00.000Z' };
  expect((await mine.post('/subscription/cancel', end)).body).toEqual({
    plan: 'starter',
    upcoming: { plan: 'free', ...end },
  });
  const { data } = await mine.must<{ data: { action: string; data: object }[] }>(
    200,
    'GET',
    '/audit-log?entityType=subscription',
  );
  expect(data.map(({ action, data }) => [action, data])).toMatchObject([
    ['SubscriptionCancelled', { fromPlan: 'starter', toPlan: 'free', ...end }],
    ['SubscriptionDowngraded', { fromPlan: 'pro', toPlan: 'starter' }],
    ['SubscriptionUpgraded', { fromPlan: 'free', toPlan: 'pro', effectiveAt }],
  ]);
});

it('counts once what is asked for many times at the same moment', async () => {
  const atOnce = <T>(ask: (n: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: 6 }, (_, n) => ask(n)));
  const statuses = (answers: readonly { status: number }[]) => answers.map(({ status }) => status).sort();
  const invoice = { invoiceId: 'inv_raced', amountCents: 100, currency: 'EUR', outcome: 'succeeded' };
  const paid = await atOnce((n) => api.post('/subscription/payments', { ...invoice, amountCents: n }));
  expect(statuses(paid)).toEqual([200, 200, 200, 200, 200, 200]);
  expect(new Set(paid.map(({ text }) => text)).size).toBe(1);
  const invited = await created('/team/invitations', { email: 'raced@example.org', role: 'editor' });
  const joined = await atOnce((n) => api.post(`/team/invitations/${invited}/accept`, { userId: `usr_raced_${n}` }));
  expect(statuses(joined)).toEqual([200, 409, 409, 409, 409, 409]);
  const winner = joined.find(({ status }) => status === 200)!.body['acceptedBy'];
  const again = await created('/team/invitations', { email: 'raced@example.org', role: 'owner' });
  expect((await api.post(`/team/invitations/${again}/accept`, { userId: winner })).status).toBe(409);
  expect((await api.get(`/team/members/${String(winner)}`)).body).toMatchObject({ role: 'editor' });
  expect((await api.get(`/team/invitations/${again}`)).body).toMatchObject({ status: 'pending', acceptedBy: null });
});

it('makes a member of who accepts, once, and knows no role of anybody else', async () => {
  const id = await created('/team/invitations', { email: 'ü@example.org', role: 'viewer' });
  await api.must(200, 'POST', `/team/invitations/${id}/accept`, { userId: 'usr_1' });
  await api.must(409, 'POST', `/team/invitations/${id}/accept`, { userId: 'usr_2' });
  await api.must(200, 'POST', '/team/members/usr_1/role', { role: 'owner' });
  await api.must(404, 'POST', '/team/members/usr_2/role', { role: 'owner' });
});

it('counts the events of each invitation, member, payment and plan from 0, whatever happens to the others', async () => {
  const { apiKey } = await api.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Parts' });
  const mine = standalone.client(apiKey);
  const pay = (invoiceId: string, outcome: string) =>
    ['/subscription/payments', { invoiceId, amountCents: 1, currency: 'eur', outcome }] as const;
  for (const [path, body, thing, revision] of [
    ['/team/invitations', { id: 'inv_a', email: 'a@example.org', role: 'viewer' }, '/team/invitations/inv_a', 0],
    ['/team/invitations', { id: 'inv_b', email: 'b@example.org', role: 'viewer' }, '/team/invitations/inv_b', 0],
    ['/team/invitations/inv_b/accept', { userId: 'usr_b' }, '/team/invitations/inv_b', 1],
    ['/team/invitations/inv_a/accept', { userId: 'usr_a' }, '/team/invitations/inv_a', 1],
    ['/team/members/usr_b/role', { role: 'editor' }, '/team/members/usr_b', 1],
    ['/team/members/usr_a/role', { role: 'editor' }, '/team/members/usr_a', 1],
    ['/team/members/usr_b/role', { role: 'editor' }, '/team/members/usr_b', 1],
    ['/team/members/usr_b/role', { role: 'viewer' }, '/team/members/usr_b', 2],
    [...pay('in_a', 'failed'), '/subscription/payments/in_a', 0],
    ['/subscription/plan', { plan: 'pro' }, '/subscription', 0],
    [...pay('in_b', 'succeeded'), '/subscription/payments/in_b', 0],
    [...pay('in_a', 'succeeded'), '/subscription/payments/in_a', 1],
    ['/subscription/plan', { plan: 'starter' }, '/subscription', 1],
  ] as const) {
    const etag = `"${revision}"`;
    const asked = `${path} ${JSON.stringify(body)}`;
    expect([asked, (await mine.post(path, body)).headers.get('etag')]).toEqual([asked, etag]);
    const { status, headers } = await mine.get(`${thing}?minRevision=${revision}`);
    expect([thing, status, headers.get('etag')]).toEqual([thing, 200, etag]);
    const ahead = await mine.get(`${thing}?minRevision=${revision + 1}`, { headers: { prefer: 'wait=0' } });
    expect([thing, ahead.status]).toEqual([thing, 504]);
  }
});

it('counts the revisions of a design from 1', async () => {
  const path = `/designs/${await created('/designs', { clientId: 'client_1' })}`;
  await api.must(409, 'POST', `${path}/approve`, {});
  expect(await api.must(200, 'POST', `${path}/submit`, {})).toMatchObject({ revision: 1 });
  await api.must(400, 'POST', `${path}/request-revision`, {});
  await api.must(200, 'POST', `${path}/request-revision`, { note: 'Larger' });
  expect(await api.must(200, 'POST', `${path}/submit`, {})).toMatchObject({ revision: 2 });
  await api.must(200, 'POST', `${path}/approve`, {});
});

it.each(['image', 'video', 'batch', 'location_content', 'location_recommendations', 'campaign_generation'])(
  'ends an operation of kind %s once',
  async (kind) => {
    const campaign = kind === 'campaign_generation' ? { campaignId: 'cmp_1' } : {};
    const path = `/operations/${await created('/operations', { kind, region: 'eu', total: 2, ...campaign })}`;
    expect(await api.must(200, 'POST', `${path}/progress`, { done: 1 })).toMatchObject({ done: 1, failed: 0 });
    await api.must(200, 'POST', `${path}/fail`, { error: { code: 'oom', message: 'Out of memory' } });
    await api.must(409, 'POST', `${path}/complete`, {});
  },
);

it('brings assets, galleries, content and regions into being with their first command', async () => {
  const firsts: readonly [string, string, object][] = [
    ['/assets/ast_1', '/organize', { clientId: 'c', folder: 'f' }],
    ['/galleries/gal_1', '/update', { region: 'eu', added: ['ast_1'], removed: [] }],
    ['/content/cnt_1', '/adaptation', { region: 'jp', locale: 'ja-JP', reasons: ['colour'] }],
    ['/regions/eu', '/performance', { period: '2026-04', impressions: 1, engagements: 0, contentCount: 2 }],
  ];
  for (const [thing, command, body] of firsts) {
    expect((await api.get(thing)).status).toBe(404);
    expect((await api.post(`${thing}${command}`, body)).headers.get('etag')).toBe('"0"');
    expect((await api.get(`${thing}?minRevision=0`)).status).toBe(200);
  }
});
