import { eventually } from '#testing';
import type { Client } from '../harness/client';
import { code, Desk, draft, LATER, ONE, PUBLISHED, TWO, type Post } from './desk';

interface Page {
  readonly data: readonly Post[];
  readonly nextCursor: string | null;
}

let desk: Desk;
let api: Client;
beforeAll(async () => {
  desk = await Desk.open();
  ({ api } = desk);
});
afterAll(() => desk.close());

describe('scheduling', () => {
  it('answers with the post, and the same by its id', async () => {
    const made = await api.post<Post>(
      '/posts',
      draft({
        id: 'pst_made',
        content: { text: '', mediaIds: ['med_1', 'med_2'] },
        destinations: [TWO, ONE],
        scheduledAt: '2035-06-01T14:00:00.5+02:00',
      }),
    );
    expect(made).toMatchObject({
      status: 201,
      body: {
        id: 'pst_made',
        status: 'scheduled',
        scheduledAt: '2035-06-01T12:00:00.500Z',
        destinations: [
          { ...TWO, id: expect.stringMatching(/^dst_[\w-]{1,64}$/), status: 'pending' },
          { ...ONE, id: expect.stringMatching(/^dst_[\w-]{1,64}$/), status: 'pending' },
        ],
      },
    });
    expect(made.headers.get('etag')).toBe('"0"');
    const read = await api.get('/posts/pst_made?minRevision=0');
    expect([read.status, read.body, read.headers.get('etag')]).toEqual([200, made.body, '"0"']);
    expect(code(await api.post('/posts', draft({ id: 'pst_made' })))).toEqual([409, 'POST_ALREADY_EXISTS']);
    expect(code(await api.get('/posts/pst_none'))).toEqual([404, 'POST_NOT_FOUND']);
    expect(code(await api.get('/posts/pst_none/results'))).toEqual([404, 'POST_NOT_FOUND']);
  });

  it('is due at once, and scheduled at the time of the call, without a time', async () => {
    const before = new Date(Date.now()).toISOString();
    const post = await desk.schedule();
    expect(post.scheduledAt >= before && post.scheduledAt <= new Date(Date.now()).toISOString()).toBe(true);
    await eventually(async () => expect(await desk.results(post.id)).toMatchObject({ status: 'publishing' }));
    expect((await desk.results(post.id)).destinations).toEqual([
      { id: post.destinations[0]!.id, ...ONE, status: 'publishing', attempts: 1 },
    ]);
  });

  it('takes a time up to a minute in the past and no earlier', async () => {
    const ago = (seconds: number) => ({ scheduledAt: new Date(Date.now() - seconds * 1_000).toISOString() });
    const late = await desk.schedule(ago(50));
    expect((await desk.report(late, 0, PUBLISHED)).status).toBe(200);
    expect(code(await api.post('/posts', draft(ago(61))))).toEqual([422, 'PUBLISH_TIME_PASSED']);
  });

  it.each([
    ['an account that is not there', { accountId: 'acct_none', platform: 'instagram' }, 422, 'ACCOUNT_UNKNOWN'],
    ['another platform than the account’s', { ...ONE, platform: 'linkedin' }, 422, 'ACCOUNT_PLATFORM_MISMATCH'],
    ['an account that was disconnected', { accountId: 'acct_gone', platform: 'x9_' }, 409, 'ACCOUNT_NOT_CONNECTED'],
  ])('refuses %s, among good ones too', async (_, destination, status, expected) => {
    expect(code(await api.post('/posts', draft({ destinations: [TWO, destination] })))).toEqual([status, expected]);
  });

  it('sees an account that was connected a moment before, and none of another workspace', async () => {
    const other = await desk.workspace();
    expect(code(await other.post('/posts', draft()))).toEqual([422, 'ACCOUNT_UNKNOWN']);
    await other.must(201, 'POST', '/accounts', {
      ...ONE,
      accountId: undefined,
      id: 'acct_one',
      username: 'o',
      profileId: 'p',
    });
    expect((await other.post('/posts', draft())).status).toBe(201);
    await other.must(200, 'POST', '/accounts/acct_one/disconnect', { reason: 'x' });
    expect(code(await other.post('/posts', draft()))).toEqual([409, 'ACCOUNT_NOT_CONNECTED']);
    expect((await api.post('/posts', draft({ scheduledAt: LATER }))).status).toBe(201);
  });

  it('goes to as many as fifty accounts, each once', async () => {
    const accounts = await Promise.all(Array.from({ length: 51 }, (_, n) => api.account(`many ${n}`)));
    const to = (count: number) =>
      draft({
        destinations: accounts.slice(0, count).map(({ id }) => ({ ...ONE, accountId: id })),
        scheduledAt: LATER,
      });
    expect((await api.post<Post>('/posts', to(50))).body.destinations).toHaveLength(50);
    expect(code(await api.post('/posts', to(51)))).toEqual([400, 'VALIDATION_FAILED']);
    expect((await api.post('/posts', draft({ destinations: [ONE, TWO, ONE] }))).body).toMatchObject({
      status: 400,
      errors: [{ pointer: '/destinations/2/accountId' }],
    });
    expect((await api.post('/posts', draft({ destinations: [] }))).status).toBe(400);
  });

  it.each([
    ['ten thousand characters', { content: { text: 'x'.repeat(10_000) } }, 201],
    ['one more', { content: { text: 'x'.repeat(10_001) } }, 400],
    ['ten thousand that take two units each', { content: { text: '😀'.repeat(10_000) } }, 201],
    ['no text', { content: {} }, 400],
    ['media that are no ids', { content: { text: 'x', mediaIds: ['nothing'] } }, 400],
    ['no profile', { profileId: undefined }, 400],
    ['a platform in capitals', { destinations: [{ ...ONE, platform: 'Instagram' }] }, 400],
    ['a platform of one letter', { destinations: [{ ...ONE, platform: 'i' }] }, 400],
    ['a day that is not', { scheduledAt: '2035-02-29T00:00:00Z' }, 400],
    ['a leap day, far from Greenwich', { scheduledAt: '2036-02-29T23:59:59-12:00' }, 201],
    ['a day without a time', { scheduledAt: '2035-01-01' }, 400],
    ['seconds since 1970', { scheduledAt: 2_000_000_000 }, 400],
  ])('takes or refuses %s', async (_, more, status) => {
    expect((await api.post('/posts', draft({ scheduledAt: LATER, ...more }))).status).toBe(status);
  });
});

describe('rescheduling and cancelling', () => {
  it('is one event each, only while the post is scheduled', async () => {
    const all = await desk.inEveryStatus();
    for (const [status, { id }] of Object.entries(all)) {
      if (status === 'scheduled') continue;
      const before = await desk.revision(id);
      expect(code(await api.post(`/posts/${id}/reschedule`, { scheduledAt: LATER }))).toEqual([
        409,
        'POST_NOT_RESCHEDULABLE',
      ]);
      expect(code(await api.post(`/posts/${id}/cancel`))).toEqual([409, 'POST_NOT_CANCELLABLE']);
      expect(await desk.revision(id)).toBe(before);
    }
    const path = `/posts/${all['scheduled']!.id}`;
    const moved = await api.post(`${path}/reschedule`, { scheduledAt: '2036-01-01T00:00:00+01:00' });
    expect([moved.status, moved.body['scheduledAt'], moved.headers.get('etag')]).toEqual([
      200,
      '2035-12-31T23:00:00.000Z',
      '"1"',
    ]);
    expect(code(await api.post(`${path}/reschedule`, { scheduledAt: '2020-01-01T00:00:00Z' }))).toEqual([
      422,
      'PUBLISH_TIME_PASSED',
    ]);
    expect((await api.post(`${path}/reschedule`, {})).status).toBe(400);
    const cancelled = await api.post(`${path}/cancel`, {});
    expect([cancelled.status, cancelled.body['status'], cancelled.headers.get('etag')]).toEqual([
      200,
      'cancelled',
      '"2"',
    ]);
    const { data } = await api.must<{ data: { action: string }[] }>(
      200,
      'GET',
      `/audit-log?entityType=post&entityId=${all['scheduled']!.id}`,
    );
    expect(data.map(({ action }) => action)).toEqual(['PostCancelled', 'PostRescheduled', 'PostScheduled']);
    for (const command of ['reschedule', 'cancel', 'retry'])
      expect(
        code(await api.post(`/posts/pst_none/${command}`, command === 'reschedule' ? { scheduledAt: LATER } : {})),
      ).toEqual([404, 'POST_NOT_FOUND']);
  });

  it('lets one of a cancel and a report win, and leaves the post as that one says', async () => {
    for (let n = 0; n < 5; n++) {
      const post = await desk.schedule();
      const [cancelled, reported] = await Promise.all([
        api.post(`/posts/${post.id}/cancel`),
        desk.report(post, 0, PUBLISHED),
      ]);
      expect([cancelled.status, reported.status].sort()).toEqual([200, 409]);
      expect((await api.get(`/posts/${post.id}`)).body['status']).toBe(
        cancelled.status === 200 ? 'cancelled' : 'published',
      );
    }
  });
});

describe('the list', () => {
  it('is filtered by each field and several, newest first, and walked in pages', async () => {
    const mine = await desk.workspace();
    for (const [id, platform] of [
      ['a', 'instagram'],
      ['b', 'linkedin'],
    ] as const)
      await mine.must(201, 'POST', '/accounts', { id: `acct_${id}`, platform, username: id, profileId: 'p' });
    await mine.must(201, 'POST', '/campaigns', { id: 'cmp_1', name: 'c', profileId: 'p' });
    const a = { accountId: 'acct_a', platform: 'instagram' };
    const b = { accountId: 'acct_b', platform: 'linkedin' };
    const write = (n: number, more: object = {}) =>
      mine.must<Post>(201, 'POST', '/posts', {
        ...draft({ id: `pst_${n}`, scheduledAt: `2035-01-0${n}T00:00:00Z`, destinations: [a] }),
        ...more,
      });
    await write(3, { profileId: 'prof_x' });
    await write(1, { destinations: [a, b] });
    await write(2, { campaignId: 'cmp_1' });
    await write(5);
    await write(4, { destinations: [b] });
    await mine.must(200, 'POST', '/posts/pst_5/cancel');
    const ids = async (query: string) =>
      (await mine.must<Page>(200, 'GET', `/posts?${query}`)).data.map(({ id }) => id.slice(4)).join('');
    expect(await ids('')).toBe('45213');
    expect(await ids('status=cancelled')).toBe('5');
    expect(await ids('status=scheduled')).toBe('4213');
    expect(await ids('status=partial')).toBe('');
    expect(await ids('profileId=prof_x')).toBe('3');
    expect(await ids('campaignId=cmp_1')).toBe('2');
    expect(await ids('platform=linkedin')).toBe('41');
    expect(await ids('platform=instagram&status=scheduled')).toBe('213');
    expect(await ids('from=2035-01-02T00:00:00Z&to=2035-01-04T00:00:00Z')).toBe('23');
    expect(await ids('from=2035-01-04T01:00:00%2B01:00')).toBe('45');
    expect(await ids('to=2035-01-02T00:00:00Z&platform=linkedin&profileId=prof_1')).toBe('1');
    let seen = '';
    for (let query = ''; ;) {
      const { data, nextCursor } = await mine.must<Page>(200, 'GET', `/posts?status=scheduled&limit=2${query}`);
      seen += data.map(({ id }) => id.slice(4)).join('');
      if (nextCursor === null) break;
      query = `&cursor=${encodeURIComponent(nextCursor)}`;
      await write(6 + seen.length);
    }
    expect(seen).toBe('4213');
    const page = await mine.must<Page>(200, 'GET', '/posts?platform=linkedin&limit=1');
    expect(page.data[0]).toEqual((await mine.get('/posts/pst_4')).body);
  });

  it('finds a post by its status as soon as the command that gave it that was answered', async () => {
    for (const [status, { id }] of Object.entries(await desk.inEveryStatus()))
      expect((await api.must<Page>(200, 'GET', `/posts?status=${status}`)).data.map((post) => post.id)).toContain(id);
  });
});
