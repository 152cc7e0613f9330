import { bootApi, type BootedApi } from '../testing/boot-api';

describe('posts over HTTP', () => {
  let api: BootedApi;
  beforeAll(async () => {
    api = await bootApi();
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
});
