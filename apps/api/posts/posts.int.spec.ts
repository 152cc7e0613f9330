import { EventStoreUnavailableError } from '#event-store';
import { instant, MINUTE, plus, systemClock, uuidv7 } from '#kernel';
import { campaignAggregate } from '#publishing';
import { bootApi, type BootedApi } from '../testing/boot-api';

describe('posts over HTTP', () => {
  let api: BootedApi;
  beforeAll(async () => {
    api = await bootApi({ views: true, env: { RETRY_SCALE: '2' } });
    for (const [id, platform] of [
      ['acct_ig', 'instagram'],
      ['acct_li', 'linkedin'],
      ['acct_gone', 'tiktok'],
    ] as const)
      expect(await api.send('POST', '/accounts', { id, platform, username: 'n', profileId: 'prof_1' })).toMatchObject({
        status: 201,
      });
    await api.send('POST', '/accounts/acct_gone/disconnect', { reason: 'left' });
  });
  afterAll(() => api.close());

  const post = (fields: object = {}) => ({
    profileId: 'prof_1',
    content: { text: 'We are live.' },
    destinations: [{ accountId: 'acct_ig', platform: 'instagram' }],
    ...fields,
  });

  it('schedules a post and answers with it', async () => {
    const { status, body, headers } = await api.send(
      'POST',
      '/posts',
      post({ scheduledAt: '2030-01-01T12:00:00.123456+02:00' }),
    );
    expect({ status, body }).toEqual({
      status: 201,
      body: {
        id: expect.stringMatching(/^pst_/),
        status: 'scheduled',
        profileId: 'prof_1',
        content: { text: 'We are live.', mediaIds: [] },
        scheduledAt: '2030-01-01T10:00:00.123Z',
        campaignId: null,
        destinations: [
          { id: expect.stringMatching(/^dst_/), accountId: 'acct_ig', platform: 'instagram', status: 'pending' },
        ],
      },
    });
    expect(headers).toMatchObject({ etag: '"0"', 'x-correlation-id': expect.any(String) });
  });

  it('schedules without a time at the time of the call', async () => {
    const before = new Date().toISOString();
    const answer = await api.send('POST', '/posts', post());
    expect(answer).toMatchObject({ status: 201, body: { status: 'scheduled' } });
    expect(answer.at('scheduledAt') >= before).toBe(true);
  });

  it('refuses what names an account that is not there, not connected, or elsewhere', async () => {
    const to = (accountId: string, platform: string) =>
      api.send('POST', '/posts', post({ destinations: [{ accountId, platform }] }));
    expect(await to('acct_none', 'instagram')).toMatchObject({ status: 422, body: { code: 'ACCOUNT_UNKNOWN' } });
    expect(await to('acct_ig', 'linkedin')).toMatchObject({ status: 422, body: { code: 'ACCOUNT_PLATFORM_MISMATCH' } });
    expect(await to('acct_gone', 'tiktok')).toMatchObject({ status: 409, body: { code: 'ACCOUNT_NOT_CONNECTED' } });
  });

  it('tells of several accounts always the same, and first what no connecting would mend', async () => {
    const [none, gone] = [
      { accountId: 'acct_none', platform: 'instagram' },
      { accountId: 'acct_gone', platform: 'tiktok' },
    ];
    for (const destinations of [
      [none, gone],
      [gone, none],
    ])
      for (let round = 0; round < 5; round++)
        expect(await api.send('POST', '/posts', post({ destinations }))).toMatchObject({
          status: 422,
          body: { code: 'ACCOUNT_UNKNOWN' },
        });
    const elsewhere = { accountId: 'acct_ig', platform: 'linkedin' };
    for (const [destinations, code] of [
      [[none, elsewhere], 'ACCOUNT_UNKNOWN'],
      [[elsewhere, none], 'ACCOUNT_PLATFORM_MISMATCH'],
    ] as const)
      expect(await api.send('POST', '/posts', post({ destinations }))).toMatchObject({ status: 422, body: { code } });
  });

  it('tells of no refused account while another cannot be looked up', async () => {
    const { commands } = api.running.engines;
    const load = commands.load.bind(commands) as (...all: unknown[]) => Promise<never>;
    const loading = jest.spyOn(commands, 'load').mockImplementation(async (...all: unknown[]) => {
      if (all[2] === 'acct_ig') throw new EventStoreUnavailableError('away');
      return load(...all);
    });
    const destinations = [
      { accountId: 'acct_gone', platform: 'tiktok' },
      { accountId: 'acct_ig', platform: 'instagram' },
    ];
    expect((await api.send('POST', '/posts', post({ destinations }))).status).toBe(503);
    loading.mockRestore();
    expect((await api.send('POST', '/posts', post({ destinations }))).status).toBe(409);
  });

  it('says which places of the input are wrong', async () => {
    const answer = await api.send('POST', '/posts', {
      profileId: 'prof_1',
      content: { text: 5 },
      destinations: [
        { accountId: 'nope', platform: 'instagram' },
        { accountId: 'acct_ig', platform: 'instagram', extra: 1 },
      ],
      surprise: true,
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
      headers: { 'content-type': expect.stringContaining('application/problem+json') },
    });
    expect(
      answer
        .at<{ pointer: string }[]>('errors')
        .map(({ pointer }) => pointer)
        .sort(),
    ).toEqual(['/content/text', '/destinations/0/accountId', '/destinations/1/extra', '/surprise']);
  });

  it('reads its own writes, by id and in the log', async () => {
    const { body } = await api.send('POST', '/posts', post({ id: 'pst_own', scheduledAt: '2030-01-01T00:00:00Z' }));
    expect(await api.send('GET', '/posts/pst_own')).toMatchObject({ status: 200, body, headers: { etag: '"0"' } });
    const cancelled = await api.send('POST', '/posts/pst_own/cancel', {});
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' }, headers: { etag: '"1"' } });
    expect(await api.send('GET', '/posts/pst_own')).toMatchObject({
      body: { status: 'cancelled' },
      headers: { etag: '"1"' },
    });
    expect(await api.send('POST', '/posts/pst_own/cancel')).toMatchObject({
      status: 409,
      body: { code: 'POST_NOT_CANCELLABLE' },
    });
    expect(await api.send('POST', '/posts', post({ id: 'pst_own' }))).toMatchObject({
      status: 409,
      body: { code: 'POST_ALREADY_EXISTS' },
    });
  });

  it('lists what was just written, by every filter, in pages that stay what they are while others write', async () => {
    const write = (id: string, at: string, platform = 'linkedin') =>
      api.send(
        'POST',
        '/posts',
        post({
          id,
          profileId: 'prof_list',
          scheduledAt: at,
          destinations: [{ accountId: platform === 'linkedin' ? 'acct_li' : 'acct_ig', platform }],
        }),
      );
    for (let n = 1; n <= 5; n++) await write(`pst_l${n}`, `2031-01-0${n}T00:00:00Z`);
    const ids = async (query: string) =>
      (await api.send('GET', `/posts?profileId=prof_list&${query}`)).at<{ id: string }[]>('data').map(({ id }) => id);
    expect(await ids('')).toEqual(['pst_l5', 'pst_l4', 'pst_l3', 'pst_l2', 'pst_l1']);
    expect(await ids('from=2031-01-02T00:00:00Z&to=2031-01-04T00:00:00Z')).toEqual(['pst_l3', 'pst_l2']);
    expect(await ids('from=2031-01-02T01:00:00+01:00&to=2031-01-03T00:00:00Z')).toEqual(['pst_l2']);
    expect(await ids('platform=instagram')).toEqual([]);
    expect(await ids('status=scheduled&platform=linkedin&limit=2')).toEqual(['pst_l5', 'pst_l4']);
    const first = await api.send('GET', '/posts?profileId=prof_list&limit=2');
    await write('pst_l6', '2031-01-06T00:00:00Z');
    expect(await ids(`limit=2&cursor=${first.at('nextCursor')}`)).toEqual(['pst_l3', 'pst_l2']);
    expect(await api.send('GET', '/posts?cursor=bm9uZQ')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/cursor' }] },
    });
    expect(await api.send('GET', '/posts?status=lost')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/status' }] },
    });
  });

  it('takes reports of a publisher: once, the same again without effect, a contradiction not', async () => {
    const scheduled = await api.send('POST', '/posts', post({ id: 'pst_report' }));
    const path = `/posts/pst_report/destinations/${scheduled.at('destinations', 0, 'id')}/outcome`;
    const published = { outcome: 'published', platformPostId: '17', url: 'https://instagram.example/17' };
    expect(await api.send('POST', path, published)).toMatchObject({ status: 200, body: { status: 'published' } });
    expect(await api.send('POST', path, published)).toMatchObject({
      status: 200,
      headers: { etag: expect.any(String) },
    });
    expect(await api.send('POST', path, { ...published, url: 'https://elsewhere.example/' })).toMatchObject({
      status: 409,
    });
    expect(await api.send('GET', '/posts/pst_report/results')).toMatchObject({
      status: 200,
      body: {
        postId: 'pst_report',
        status: 'published',
        destinations: [{ status: 'published', url: 'https://instagram.example/17', platformPostId: '17', attempts: 1 }],
      },
    });
    expect(await api.send('POST', '/posts/pst_report/retry')).toMatchObject({
      status: 409,
      body: { code: 'NOTHING_TO_RETRY' },
    });
    expect(await api.send('POST', '/posts/pst_report/destinations/dst_none/outcome', published)).toMatchObject({
      status: 404,
      body: { code: 'DESTINATION_NOT_FOUND' },
    });
  });

  it('takes where a post stands as its network writes it: in letters of any script', async () => {
    const scheduled = await api.send('POST', '/posts', post({ id: 'pst_letters' }));
    const url = 'HTTPS://bücher.example/ワークショップ?q={é}';
    const path = `/posts/pst_letters/destinations/${scheduled.at('destinations', 0, 'id')}/outcome`;
    expect((await api.send('POST', path, { outcome: 'published', platformPostId: '17', url })).status).toBe(200);
    expect((await api.send('GET', '/posts/pst_letters/results')).at('destinations', 0, 'url')).toBe(url);
    const described = (await api.send('GET', '//docs-json')).at('components', 'schemas', 'ReportOutcome', 'properties');
    expect(described).toMatchObject({ url: { pattern: expect.any(String) } });
    expect(described).not.toMatchObject({ url: { format: expect.anything() } });
  });

  it('takes a failure as final or as one to try again, as its report says, and retries what is named', async () => {
    const destinations = [
      { accountId: 'acct_ig', platform: 'instagram' },
      { accountId: 'acct_li', platform: 'linkedin' },
    ];
    const failed = (retryable: boolean) => ({ outcome: 'failed', error: { code: 'x', message: 'y' }, retryable });
    const scheduled = async (id: string) => {
      const ids = (await api.send('POST', '/posts', post({ id, destinations })))
        .at<{ id: string }[]>('destinations')
        .map((it) => it.id);
      const report = (index: number, body: object) =>
        api.send('POST', `/posts/${id}/destinations/${ids[index]}/outcome`, body);
      return { ids, report };
    };
    const again = await scheduled('pst_again');
    expect((await again.report(0, failed(true))).at('destinations', 0, 'status')).toBe('publishing');
    expect((await again.report(0, { ...failed(true), attempt: 1 })).status).toBe(200);
    expect(await again.report(0, { ...failed(true), attempt: 2 })).toMatchObject({
      status: 409,
      body: { code: 'POST_NOT_DUE' },
    });
    const { data, metadata } = (await api.running.engines.store.read(`post-${api.workspace}:pst_again`)).at(-1)!;
    expect(data).toMatchObject({ retryAt: plus(instant(metadata.occurredAt), 2 * MINUTE) });
    const final = await scheduled('pst_final');
    await final.report(0, failed(false));
    expect((await final.report(1, failed(false))).at('status')).toBe('failed');
    const retried = await api.send('POST', '/posts/pst_final/retry', { destinationIds: [final.ids[1]] });
    expect(retried.status).toBe(200);
    expect(retried.at<{ status: string }[]>('destinations').map(({ status }) => status)).toEqual([
      'failed',
      'publishing',
    ]);
    // Its newest outcome is what counts, and all that is told of it.
    const [platformPostId, url] = ['17', 'https://linkedin.example/17'];
    expect((await final.report(1, { outcome: 'published', platformPostId, url })).at('status')).toBe('partial');
    expect((await api.send('GET', '/posts/pst_final/results')).at('destinations', 1)).toEqual({
      id: final.ids[1],
      platform: 'linkedin',
      accountId: 'acct_li',
      status: 'published',
      url,
      platformPostId,
      attempts: 2,
    });
  });

  it('has told its campaign of a retry when it answers, whoever closes that next', async () => {
    await api.send('POST', '/campaigns', { id: 'cmp_again', name: 'Spring', profileId: 'prof_1' });
    const scheduled = await api.send('POST', '/posts', post({ id: 'pst_of_campaign', campaignId: 'cmp_again' }));
    const path = `/posts/pst_of_campaign/destinations/${scheduled.at('destinations', 0, 'id')}/outcome`;
    await api.send('POST', path, { outcome: 'failed', error: { code: 'x', message: 'y' }, retryable: false });
    // As the policy does: nobody else here tells the campaign anything.
    const at = systemClock();
    const about = { campaignId: 'cmp_again', postId: 'pst_of_campaign' };
    const settled = { type: 'RecordPostSettled', outcome: 'failed', round: 1, sourceEventId: 'evt_1' } as const;
    const context = { workspace: api.workspace, correlationId: 'c', causationId: null, commandId: uuidv7(), at };
    const actor = 'system';
    const { commands } = api.running.engines;
    const told = { ...settled, ...about, at, actor };
    await commands.handle(campaignAggregate, 'cmp_again', told, { ...context, actor });
    // If-Match speaks of the post, and of one of several revisions.
    const etag = (await api.send('GET', '/posts/pst_of_campaign')).headers['etag'];
    const retry = (tags: string) => api.send('POST', '/posts/pst_of_campaign/retry', undefined, { 'if-match': tags });
    expect((await retry('"98", "99"')).status).toBe(412);
    expect((await retry(`"99", ${etag}`)).status).toBe(200);
    // One that is tried again has not failed, as far as its campaign knows.
    expect((await api.send('POST', '/campaigns/cmp_again/close')).body).toMatchObject({
      status: 'closed',
      total: 1,
      settled: 0,
      failed: 0,
    });
  });

  it('wants of an outcome what belongs to it, and nothing else', async () => {
    const pointers = async (body: object) =>
      (await api.send('POST', '/posts/pst_own/destinations/dst_1/outcome', body))
        .at<{ pointer: string }[]>('errors')
        .map(({ pointer }) => pointer)
        .sort();
    expect(await pointers({ outcome: 'published' })).toEqual(['/platformPostId', '/url']);
    expect(await pointers({ outcome: 'failed', error: { code: 'x' } })).toEqual(['/error/message', '/retryable']);
    expect(
      await pointers({ outcome: 'published', platformPostId: '1', url: 'https://x.example/1', retryable: true }),
    ).toEqual(['/retryable']);
    expect(await pointers({ outcome: 'lost' })).toEqual(['/outcome']);
    // Of an outcome that is none, nothing else can be said to belong to it or not.
    const said = {
      platformPostId: '1',
      url: 'https://x.example/1',
      error: { code: 'x', message: 'y' },
      retryable: true,
    };
    for (const outcome of ['lost', undefined, null, ['published']])
      expect([outcome, await pointers({ outcome, ...said })]).toEqual([outcome, ['/outcome']]);
    expect(await pointers({ ...said, url: 'x.example' })).toEqual(['/outcome', '/url']);
    for (const attempt of [0, 1.5, '1', null])
      expect([
        attempt,
        await pointers({ outcome: 'published', platformPostId: '1', url: 'https://x.example/1', attempt }),
      ]).toEqual([attempt, ['/attempt']]);
    for (const url of [
      'u',
      '/p/1',
      'ftp://x.example/1',
      'javascript:alert(1)',
      'https://',
      'https://x.example/a b',
      'http:\\\\x.example',
      7,
    ])
      expect([url, await pointers({ outcome: 'published', platformPostId: '1', url })]).toEqual([url, ['/url']]);
  });

  it.each([
    ['/destinations', { destinations: [] }],
    [
      '/destinations',
      { destinations: Array.from({ length: 51 }, (_, n) => ({ accountId: `acct_${n}`, platform: 'instagram' })) },
    ],
    [
      '/destinations/2/accountId',
      {
        destinations: [
          { accountId: 'acct_ig', platform: 'instagram' },
          { accountId: 'acct_li', platform: 'linkedin' },
          { accountId: 'acct_ig', platform: 'instagram' },
        ],
      },
    ],
    ['/content/mediaIds/1', { content: { text: '', mediaIds: ['med_1', 'med_1'] } }],
    ['/destinations', { destinations: { 0: {} } }],
    ['/destinations/0', { destinations: ['acct_ig'] }],
    ['/destinations/0/platform', { destinations: [{ accountId: 'acct_ig', platform: 'Instagram' }] }],
    ['/content/text', { content: { text: 'x'.repeat(10_001) } }],
    ['/content/text', { content: { text: '❤️'.repeat(10_000) } }],
    ['/content', { content: [] }],
    ['/content', { content: null }],
    ['/id', { id: 'post_1' }],
    ['/id', { id: `pst_${'x'.repeat(65)}` }],
    ['/scheduledAt', { scheduledAt: 1_767_225_600 }],
  ])('refuses at %s', async (pointer, fields) => {
    expect(await api.send('POST', '/posts', post(fields))).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ pointer }] },
    });
  });

  it('takes the longest text, whatever plane its characters are of', async () => {
    const text = '𝔘'.repeat(10_000);
    expect(await api.send('POST', '/posts', post({ content: { text } }))).toMatchObject({
      status: 201,
      body: { content: { text } },
    });
  });
});
