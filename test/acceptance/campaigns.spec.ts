import { eventually } from '#testing';
import type { Client } from '../harness/client';
import { code, Desk, draft, LATER, ONE, PUBLISHED, REFUSED, TWO, type Message, type Post } from './desk';

interface Campaign {
  readonly id: string;
  readonly status: string;
  readonly total: number;
  readonly settled: number;
  readonly succeeded: number;
  readonly failed: number;
}

let desk: Desk;
let api: Client;
beforeAll(async () => {
  desk = await Desk.open();
  ({ api } = desk);
  await api.endpoint(desk.receiver.url('/hook'), { eventTypes: ['campaign.*'] });
});
afterAll(() => desk.close());

const begin = (more: object = {}): Promise<Campaign> =>
  api.must<Campaign>(201, 'POST', '/campaigns', { name: 'Autumn', profileId: 'prof_1', ...more });
const close = (id: string) => api.post<Campaign>(`/campaigns/${id}/close`);
const read = (id: string): Promise<Campaign> => api.must<Campaign>(200, 'GET', `/campaigns/${id}`);
const logged = async ({ id }: Campaign, action: string): Promise<readonly unknown[]> =>
  (await api.must<{ data: unknown[] }>(200, 'GET', `/audit-log?entityId=${id}&action=${action}`)).data;
const inIt = ({ id }: Campaign, more: object = {}): Promise<Post> => desk.schedule({ campaignId: id, ...more });
const publish = (post: Post) => desk.report(post, 0, PUBLISHED);
const refuse = (post: Post) => desk.report(post, 0, REFUSED);
const said = (type: string, { id }: Campaign) =>
  desk.receiver.bodies<Message>('/hook').filter((it) => it.type === type && it.data['campaignId'] === id);
const counts = ([totalPosts, successCount, failedCount]: readonly number[]) => ({
  totalPosts,
  successCount,
  failedCount,
});
/** Waits for the one completion of a campaign; what comes after a later campaign's shows that there was no other. */
const completedOnce = async (campaign: Campaign, ...numbers: [number, number, number]): Promise<void> => {
  await eventually(async () => expect((await read(campaign.id)).status).toBe('completed'));
  await eventually(() => expect(said('campaign.completed', campaign)).not.toEqual([]));
  const later = await begin();
  await close(later.id);
  await eventually(() => expect(said('campaign.completed', later)).toHaveLength(1));
  expect(said('campaign.completed', campaign).map(({ data }) => data)).toEqual([
    { campaignId: campaign.id, ...counts(numbers) },
  ]);
};
const settled = async (campaign: Campaign, count: number): Promise<void> => {
  await eventually(async () => expect((await read(campaign.id)).settled).toBe(count));
};

it('begins open and empty, once by its id', async () => {
  const made = await api.post<Campaign>('/campaigns', { id: 'cmp_made', name: 'x'.repeat(200), profileId: 'prof_1' });
  expect(made).toMatchObject({ status: 201, body: { id: 'cmp_made', status: 'open', profileId: 'prof_1' } });
  expect(made.headers.get('etag')).toBe('"0"');
  expect((await api.get('/campaigns/cmp_made')).body).toEqual(made.body);
  expect(code(await api.post('/campaigns', { id: 'cmp_made', name: 'y', profileId: 'p' }))).toEqual([
    409,
    'CAMPAIGN_ALREADY_EXISTS',
  ]);
  expect(code(await api.get('/campaigns/cmp_none'))).toEqual([404, 'CAMPAIGN_NOT_FOUND']);
  expect(code(await close('cmp_none'))).toEqual([404, 'CAMPAIGN_NOT_FOUND']);
  for (const body of [
    { name: 'x' },
    { profileId: 'p' },
    { name: '', profileId: 'p' },
    { name: 'x', profileId: 'p', posts: [] },
  ])
    expect((await api.post('/campaigns', body)).status).toBe(400);
});

it('takes posts until it is closed, and only if it is there', async () => {
  const campaign = await begin();
  const post = await inIt(campaign, { scheduledAt: LATER });
  expect(await api.must(200, 'GET', `/posts/${post.id}`)).toMatchObject({ campaignId: campaign.id });
  expect(await read(campaign.id)).toMatchObject({ status: 'open', total: 1, settled: 0 });
  const closed = await close(campaign.id);
  expect([closed.status, closed.body.status]).toEqual([200, 'closed']);
  const again = await close(campaign.id);
  expect([again.status, again.body]).toEqual([200, closed.body]);
  const later = await begin();
  await eventually(async () => expect(await logged(later, 'CampaignCreated')).toHaveLength(1));
  expect(await logged(campaign, 'CampaignClosed')).toHaveLength(1);
  expect(code(await api.post('/posts', draft({ campaignId: campaign.id })))).toEqual([409, 'CAMPAIGN_CLOSED']);
  expect(code(await api.post('/posts', draft({ campaignId: 'cmp_none' })))).toEqual([422, 'CAMPAIGN_UNKNOWN']);
  expect(code(await (await desk.workspace()).post(`/campaigns/${campaign.id}/close`))).toEqual([
    404,
    'CAMPAIGN_NOT_FOUND',
  ]);
  expect(await read(campaign.id)).toMatchObject({ status: 'closed', total: 1 });
});

it('completes at once when it is closed empty, and stays complete', async () => {
  const campaign = await begin();
  expect((await close(campaign.id)).body).toMatchObject({ status: 'completed', total: 0 });
  expect((await close(campaign.id)).status).toBe(200);
  await completedOnce(campaign, 0, 0, 0);
});

it('counts as a success only a post that is published everywhere', async () => {
  const campaign = await begin();
  const both = { destinations: [ONE, TWO] };
  const [whole, part, none] = [await inIt(campaign, both), await inIt(campaign, both), await inIt(campaign, both)];
  for (const [post, second] of [
    [whole, PUBLISHED],
    [part, REFUSED],
    [none, REFUSED],
  ] as const) {
    await desk.report(post, 0, post === none ? REFUSED : PUBLISHED);
    await desk.report(post, 1, second);
  }
  await settled(campaign, 3);
  expect(await read(campaign.id)).toMatchObject({ status: 'open', total: 3, succeeded: 1, failed: 2 });
  await eventually(() => expect(said('campaign.progressed', campaign)).toHaveLength(3));
  expect(
    said('campaign.progressed', campaign)
      .map(({ data }) => data['settled'])
      .sort(),
  ).toEqual([1, 2, 3]);
  expect(said('campaign.progressed', campaign).find(({ data }) => data['settled'] === 3)!.data).toEqual({
    campaignId: campaign.id,
    settled: 3,
    total: 3,
    succeeded: 1,
  });
  expect((await close(campaign.id)).body.status).toBe('completed');
  await completedOnce(campaign, 3, 1, 2);
});

it('waits for posts that have not settled, and forgets those that are cancelled', async () => {
  const campaign = await begin();
  const [first, second, third] = [
    await inIt(campaign),
    await inIt(campaign, { scheduledAt: LATER }),
    await inIt(campaign, { scheduledAt: LATER }),
  ];
  await api.must(200, 'POST', `/posts/${second.id}/cancel`);
  await eventually(async () => expect(await read(campaign.id)).toMatchObject({ total: 2, settled: 0 }));
  expect((await close(campaign.id)).body.status).toBe('closed');
  await publish(first);
  await settled(campaign, 1);
  expect((await read(campaign.id)).status).toBe('closed');
  await api.must(200, 'POST', `/posts/${third.id}/cancel`);
  await completedOnce(campaign, 1, 1, 0);
});

it('completes when its last post is cancelled, with none', async () => {
  const campaign = await begin();
  const post = await inIt(campaign, { scheduledAt: LATER });
  await close(campaign.id);
  await api.must(200, 'POST', `/posts/${post.id}/cancel`);
  await completedOnce(campaign, 0, 0, 0);
});

it('counts the newest outcome of a post that was tried again', async () => {
  const campaign = await begin();
  const post = await inIt(campaign);
  await refuse(post);
  await settled(campaign, 1);
  expect(await read(campaign.id)).toMatchObject({ succeeded: 0, failed: 1 });
  await api.must(200, 'POST', `/posts/${post.id}/retry`);
  await desk.report(post, 0, PUBLISHED);
  await eventually(async () => expect(await read(campaign.id)).toMatchObject({ total: 1, succeeded: 1, failed: 0 }));
  await close(campaign.id);
  await completedOnce(campaign, 1, 1, 0);
});

it('waits for a post that is tried again, before its close and after', async () => {
  const campaign = await begin();
  const [first, second] = [await inIt(campaign), await inIt(campaign, { scheduledAt: LATER })];
  await refuse(first);
  await settled(campaign, 1);
  const retry = (post: Post) => api.must(200, 'POST', `/posts/${post.id}/retry`);
  await retry(first);
  expect(await read(campaign.id)).toMatchObject({ total: 2, settled: 0, failed: 0 });
  await api.must(200, 'POST', `/posts/${second.id}/cancel`);
  expect((await close(campaign.id)).body.status).toBe('closed');
  await eventually(async () => expect((await read(campaign.id)).total).toBe(1));
  expect((await read(campaign.id)).status).toBe('closed');
  await publish(first);
  await completedOnce(campaign, 1, 1, 0);

  const other = await begin();
  const [third, fourth] = [await inIt(other), await inIt(other)];
  await close(other.id);
  await refuse(third);
  await settled(other, 1);
  await retry(third);
  await publish(fourth);
  await settled(other, 1);
  expect(await read(other.id)).toMatchObject({ status: 'closed', total: 2, succeeded: 1 });
  await refuse(third);
  await completedOnce(other, 2, 1, 1);
});

it('is complete for ever, whatever becomes of its posts afterwards', async () => {
  const campaign = await begin();
  const post = await inIt(campaign);
  await close(campaign.id);
  await refuse(post);
  await completedOnce(campaign, 1, 0, 1);
  const before = (await api.get(`/campaigns/${campaign.id}`)).headers.get('etag');
  await api.must(200, 'POST', `/posts/${post.id}/retry`);
  expect((await desk.report(post, 0, PUBLISHED)).body['status']).toBe('published');
  await completedOnce(campaign, 1, 0, 1);
  expect((await api.get(`/campaigns/${campaign.id}`)).headers.get('etag')).toBe(before);
});

it('completes once, however many posts settle at the moment in which it is closed', async () => {
  const campaign = await begin();
  const posts = await Promise.all(Array.from({ length: 24 }, () => inIt(campaign)));
  await Promise.all([
    ...posts.map((post, index) => (index % 3 === 0 ? refuse(post) : publish(post))),
    close(campaign.id),
    close(campaign.id),
  ]);
  await completedOnce(campaign, 24, 16, 8);
});

it('waits for each post that got in before the close, and lets no other in', async () => {
  const campaign = await begin();
  const [answers] = await Promise.all([
    Promise.all(Array.from({ length: 16 }, () => api.post<Post>('/posts', draft({ campaignId: campaign.id })))),
    close(campaign.id),
  ]);
  const posts = answers.filter(({ status }) => status === 201).map(({ body }) => body);
  expect(answers.filter(({ status }) => status !== 201).every((answer) => code(answer)[1] === 'CAMPAIGN_CLOSED')).toBe(
    true,
  );
  await Promise.all(posts.map(publish));
  await completedOnce(campaign, posts.length, posts.length, 0);
});

it('keeps no place for a post that was refused', async () => {
  const campaign = await begin();
  await api.must(422, 'POST', '/posts', draft({ campaignId: campaign.id, scheduledAt: '2020-01-01T00:00:00Z' }));
  await api.must(409, 'POST', '/posts', draft({ campaignId: campaign.id, id: (await inIt(campaign)).id }));
  await eventually(async () => expect((await read(campaign.id)).total).toBe(1));
});

it('is listed newest first, by status and profile, in pages', async () => {
  const mine = await desk.workspace();
  for (const [id, profileId] of Object.entries({ 1: 'a', 2: 'b', 3: 'a', 4: 'a' }))
    await mine.must(201, 'POST', '/campaigns', { id: `cmp_${id}`, name: id, profileId });
  await mine.must(200, 'POST', '/campaigns/cmp_1/close');
  const ids = async (query: string) =>
    (await mine.must<{ data: { id: string }[] }>(200, 'GET', `/campaigns?${query}`)).data
      .map(({ id }) => id.slice(4))
      .join('');
  expect(await ids('')).toBe('4321');
  expect(await ids('status=open')).toBe('432');
  expect(await ids('status=completed')).toBe('1');
  expect(await ids('status=closed')).toBe('');
  expect(await ids('profileId=a&status=open')).toBe('43');
  const first = await mine.must<{ nextCursor: string }>(200, 'GET', '/campaigns?limit=3');
  expect(await ids(`limit=3&cursor=${first.nextCursor}`)).toBe('1');
  expect((await mine.get('/campaigns?status=paused')).status).toBe(400);
});
