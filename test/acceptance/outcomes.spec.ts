import { eventually } from '#testing';
import type { Client } from '../harness/client';
import {
  code,
  Desk,
  HICCUP,
  LATER,
  ONE,
  PAUSES,
  PUBLISHED,
  REFUSED,
  THREE,
  TWO,
  type Message,
  type Post,
} from './desk';

let desk: Desk;
let api: Client;
beforeAll(async () => {
  desk = await Desk.open();
  ({ api } = desk);
});
afterAll(() => desk.close());

describe('an outcome', () => {
  it('is taken once, again without effect, and never contradicted', async () => {
    const post = await desk.schedule({ destinations: [ONE, TWO] });
    const first = await desk.report(post, 0, PUBLISHED);
    expect([first.status, first.body['status']]).toEqual([200, 'publishing']);
    const again = await desk.report(post, 0, PUBLISHED);
    expect([again.status, again.headers.get('etag')]).toEqual([200, first.headers.get('etag')]);
    expect((await desk.report(post, 0, { ...PUBLISHED, attempt: 1 })).headers.get('etag')).toBe(
      first.headers.get('etag'),
    );
    for (const other of [
      { ...PUBLISHED, platformPostId: '18' },
      { ...PUBLISHED, url: 'https://x.example/' },
      REFUSED,
      HICCUP,
    ])
      expect((await desk.report(post, 0, other)).status).toBe(409);
    expect(await desk.revision(post.id)).toBe(first.headers.get('etag'));
    const last = await desk.report(post, 1, REFUSED);
    expect([last.status, last.body['status']]).toEqual([200, 'partial']);
    expect((await desk.report(post, 1, REFUSED)).headers.get('etag')).toBe(last.headers.get('etag'));
    expect((await desk.report(post, 1, PUBLISHED)).status).toBe(409);
    expect(await desk.results(post.id)).toEqual({
      postId: post.id,
      status: 'partial',
      destinations: [
        {
          id: post.destinations[0]!.id,
          ...ONE,
          status: 'published',
          url: PUBLISHED.url,
          platformPostId: '17',
          attempts: 1,
        },
        {
          id: post.destinations[1]!.id,
          ...TWO,
          status: 'failed',
          error: 'Token expired',
          errorCode: 'token_expired',
          attempts: 1,
        },
      ],
    });
  });

  it('waits until the post is due, and for an attempt that is', async () => {
    const post = await desk.schedule({ scheduledAt: LATER });
    expect(code(await desk.report(post, 0, PUBLISHED))).toEqual([409, 'POST_NOT_DUE']);
    expect(code(await desk.report(post, 0, { ...REFUSED, attempt: 1 }))).toEqual([409, 'POST_NOT_DUE']);
    expect(await desk.revision(post.id)).toBe('"0"');
    const soon = await desk.schedule({ scheduledAt: new Date(Date.now() + 3_000).toISOString() });
    expect(code(await desk.report(soon, 0, PUBLISHED))).toEqual([409, 'POST_NOT_DUE']);
    await eventually(async () => expect((await desk.report(soon, 0, PUBLISHED)).status).toBe(200));
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(soon.scheduledAt));
    expect(code(await desk.report(soon, 0, { ...PUBLISHED, attempt: 2 }))).toEqual([409, 'POST_NOT_DUE']);
    const cancelled = (await desk.inEveryStatus())['cancelled']!;
    expect((await desk.report(cancelled, 0, PUBLISHED)).status).toBe(409);
  });

  it('belongs to a destination of that post', async () => {
    const [one, two] = [await desk.schedule(), await desk.schedule()];
    expect(code(await desk.report({ ...one, destinations: two.destinations }, 0, PUBLISHED))).toEqual([
      404,
      'DESTINATION_NOT_FOUND',
    ]);
    expect(code(await desk.report({ ...one, id: 'pst_none' }, 0, PUBLISHED))).toEqual([404, 'POST_NOT_FOUND']);
  });

  it.each([
    [{}, ['/outcome']],
    [{ outcome: 'published' }, ['/platformPostId', '/url']],
    [{ ...PUBLISHED, retryable: true }, ['/retryable']],
    [{ ...REFUSED, error: { code: 'x' } }, ['/error/message']],
    [{ ...REFUSED, retryable: 'no' }, ['/retryable']],
    [{ ...PUBLISHED, attempt: 0 }, ['/attempt']],
  ])('is refused as %j', async (outcome, pointers) => {
    const answer = await desk.report({ id: 'pst_x', destinations: [{ id: 'dst_x' }] } as unknown as Post, 0, outcome);
    expect(answer.status).toBe(400);
    expect((answer.body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer).sort()).toEqual(pointers);
  });

  it('is tried again by the ladder of the core, three times in all, before it is final', async () => {
    const { id: endpoint } = await api.endpoint(desk.receiver.url('/ladder'), {
      eventTypes: ['post.destination_failed', 'post.failed'],
    });
    const post = await desk.schedule();
    const nextAttempt = (number: number) =>
      eventually(async () =>
        expect((await desk.results(post.id)).destinations[0]).toMatchObject({ status: 'publishing', attempts: number }),
      );
    // A pause begins when the report is taken: somewhere between its sending and its answer.
    const reportedAt = Date.now();
    await desk.report(post, 0, HICCUP);
    await nextAttempt(2);
    expect(Date.now() - reportedAt).toBeGreaterThanOrEqual(PAUSES[0] * 0.9);
    const reportedAgainAt = Date.now();
    await desk.report(post, 0, HICCUP);
    // In the second pause, for the first is short.
    const waiting = await desk.revision(post.id);
    expect((await desk.results(post.id)).destinations[0]).toMatchObject({
      attempts: 2,
      error: 'Try later',
      errorCode: 'busy',
    });
    expect(code(await desk.report(post, 0, PUBLISHED))).toEqual([409, 'POST_NOT_DUE']);
    expect(code(await desk.report(post, 0, { ...PUBLISHED, attempt: 3 }))).toEqual([409, 'POST_NOT_DUE']);
    expect((await desk.report(post, 0, { ...HICCUP, attempt: 2 })).status).toBe(200);
    expect((await desk.report(post, 0, { ...PUBLISHED, attempt: 2 })).status).toBe(409);
    expect(await desk.revision(post.id)).toBe(waiting);
    await nextAttempt(3);
    expect(Date.now() - reportedAgainAt).toBeGreaterThanOrEqual(PAUSES[1] * 0.9);
    expect(desk.receiver.on('/ladder')).toEqual([]);
    expect((await desk.report(post, 0, HICCUP)).body).toMatchObject({ status: 'failed' });
    expect((await desk.results(post.id)).destinations[0]).toMatchObject({
      status: 'failed',
      error: 'Try later',
      attempts: 3,
    });
    await eventually(() => expect(desk.receiver.bodies('/ladder')).toHaveLength(2));
    expect(
      desk.receiver.bodies<Message>('/ladder').find(({ type }) => type === 'post.destination_failed')!.data,
    ).toMatchObject({ errorCode: 'busy', attempts: 3 });
    await api.delete(`/webhooks/endpoints/${endpoint}`);
  });

  it('settles the post once, whoever reports and however many at the same moment', async () => {
    const { id: endpoint } = await api.endpoint(desk.receiver.url('/once'), {
      eventTypes: ['post.published', 'post.partial', 'post.failed'],
    });
    const post = await desk.schedule({ destinations: [ONE, TWO, THREE] });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => [0, 1, 2])
        .flat()
        .map((index) => desk.report(post, index, { ...PUBLISHED, platformPostId: `${index}` })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const contradicted = await desk.schedule();
    const rivals = await Promise.all(
      [1, 2, 3, 4].map((n) => desk.report(contradicted, 0, { ...PUBLISHED, platformPostId: `${n}` })),
    );
    expect(rivals.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
    const about = ({ id }: Post) => desk.receiver.bodies<Message>('/once').filter(({ data }) => data['postId'] === id);
    await eventually(() => expect(about(contradicted)).toHaveLength(1));
    await eventually(() =>
      expect(about(post).map(({ type, data }) => [type, data])).toEqual([
        ['post.published', { postId: post.id, published: 3, failed: 0, total: 3 }],
      ]),
    );
    await api.delete(`/webhooks/endpoints/${endpoint}`);
  });
});

describe('a retry', () => {
  it('takes failed destinations only, and settles again with the counts of the whole post', async () => {
    await api.endpoint(desk.receiver.url('/retry'), { eventTypes: ['post.partial', 'post.published', 'post.failed'] });
    const post = await desk.schedule({ destinations: [ONE, TWO, THREE] });
    const [one, two, three] = post.destinations.map(({ id }) => id) as [string, string, string];
    const retry = (body: object = {}) => api.post<Post>(`/posts/${post.id}/retry`, body);
    expect(code(await retry())).toEqual([409, 'NOTHING_TO_RETRY']);
    await desk.report(post, 0, PUBLISHED);
    for (const index of [1, 2]) await desk.report(post, index, REFUSED);
    expect((await retry({ destinationIds: [one, two] })).status).toBe(409);
    expect(code(await retry({ destinationIds: [two, 'dst_none'] }))).toEqual([404, 'DESTINATION_NOT_FOUND']);
    expect((await retry({ destinationIds: [two, two] })).status).toBe(400);
    const retried = await retry({ destinationIds: [two] });
    expect([retried.status, retried.body.status]).toEqual([200, 'publishing']);
    expect(retried.body.destinations.map(({ status }) => status)).toEqual(['published', 'publishing', 'failed']);
    expect((await retry({ destinationIds: [two] })).status).toBe(409);
    expect((await desk.report(post, 1, { ...REFUSED, attempt: 1 })).status).toBe(200);
    expect((await desk.report(post, 1, { ...PUBLISHED, attempt: 1 })).status).toBe(409);
    expect((await desk.report(post, 1, { ...PUBLISHED, attempt: 2 })).body).toMatchObject({ status: 'partial' });
    expect((await desk.results(post.id)).destinations.map(({ id, attempts }) => [id, attempts])).toEqual([
      [one, 1],
      [two, 2],
      [three, 1],
    ]);
    const all = await retry({ destinationIds: [] });
    expect(all.body.destinations.map(({ status }) => status)).toEqual(['published', 'published', 'publishing']);
    expect((await desk.report(post, 2, PUBLISHED)).body).toMatchObject({ status: 'published' });
    expect(code(await retry())).toEqual([409, 'NOTHING_TO_RETRY']);
    expect((await retry({ destinationIds: [one] })).status).toBe(409);
    await eventually(() => expect(desk.receiver.bodies('/retry')).toHaveLength(3));
    const said = desk.receiver
      .bodies<Message>('/retry')
      .sort((a, b) => Number(a.data['published']) - Number(b.data['published']));
    expect(said.map(({ type, data }) => [type, data['published'], data['failed'], data['total']])).toEqual([
      ['post.partial', 1, 2, 3],
      ['post.partial', 2, 1, 3],
      ['post.published', 3, 0, 3],
    ]);
    expect(new Set(said.map(({ id }) => id)).size).toBe(3);
  });

  it('has the ladder of the core before it again', async () => {
    const post = await desk.schedule();
    await desk.report(post, 0, REFUSED);
    await api.must(200, 'POST', `/posts/${post.id}/retry`);
    expect((await desk.report(post, 0, HICCUP)).body).toMatchObject({ status: 'publishing' });
    const due = async () => expect((await desk.results(post.id)).destinations[0]).toMatchObject({ attempts: 3 });
    await eventually(due);
    expect((await desk.report(post, 0, HICCUP)).body).toMatchObject({ status: 'publishing' });
    await eventually(async () => expect((await desk.report(post, 0, PUBLISHED)).status).toBe(200));
    expect((await desk.results(post.id)).destinations[0]).toMatchObject({ status: 'published', attempts: 4 });
    expect((await desk.results(post.id)).destinations[0]).not.toHaveProperty('error');
  });

  it('is refused while nothing has failed, in any status', async () => {
    for (const [status, { id }] of Object.entries(await desk.inEveryStatus()))
      expect([status, (await api.post(`/posts/${id}/retry`)).status]).toEqual([
        status,
        status === 'partial' || status === 'failed' ? 200 : 409,
      ]);
  });

  it('happens once, however many ask at the same moment', async () => {
    const post = await desk.schedule();
    await desk.report(post, 0, REFUSED);
    const answers = await Promise.all(Array.from({ length: 6 }, () => api.post(`/posts/${post.id}/retry`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409]);
    expect((await desk.results(post.id)).destinations[0]).toMatchObject({ attempts: 2 });
  });
});
