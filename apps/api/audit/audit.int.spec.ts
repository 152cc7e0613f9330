import { gunzipSync } from 'node:zlib';
import { request } from 'node:http';
import { uuidv7 } from '#kernel';
import { bootApi, type BootedApi, type Send } from '../testing/boot-api';

describe('the audit log over HTTP', () => {
  let api: BootedApi;
  beforeAll(async () => {
    api = await bootApi({ views: true });
    await api.send(
      'POST',
      '/accounts',
      { id: 'acct_1', platform: 'instagram', username: 'a,"b"', profileId: 'p' },
      { 'x-actor': 'usr_ada', 'x-correlation-id': 'order-1' },
    );
    await api.send('POST', '/accounts/acct_1/disconnect', { reason: 'left' }, { 'x-actor': 'usr_bob' });
    await api.send('POST', '/campaigns', { id: 'cmp_1', name: 'c', profileId: 'p' });
  });
  afterAll(() => api.close());

  it('says who did what, at once after it was done', async () => {
    const { status, body } = await api.send('GET', '/audit-log?entityType=account&entityId=acct_1');
    expect({ status, body }).toMatchObject({
      status: 200,
      body: {
        data: [
          { action: 'AccountDisconnected', actor: 'usr_bob', revisionBefore: 0, revision: 1, data: { reason: 'left' } },
          {
            action: 'AccountConnected',
            actor: 'usr_ada',
            correlationId: 'order-1',
            causationId: null,
            revisionBefore: null,
            revision: 0,
            entityType: 'account',
            entityId: 'acct_1',
            id: expect.stringMatching(/^evt_/),
          },
        ],
        nextCursor: null,
      },
    });
    for (const filter of ['actor=usr_ada', 'action=AccountConnected', 'correlationId=order-1'])
      expect((await api.send('GET', `/audit-log?${filter}`)).at<object[]>('data')).toHaveLength(1);
  });

  it('names the entry that led to another, and none where that was the request', async () => {
    await api.send('POST', '/accounts', { id: 'acct_2', platform: 'instagram', username: 'u', profileId: 'p' });
    const refused = await api.send('POST', '/posts', {
      profileId: 'p',
      content: { text: 't' },
      destinations: [{ accountId: 'acct_2', platform: 'instagram' }],
      scheduledAt: '2020-01-01T00:00:00Z',
      campaignId: 'cmp_1',
    });
    expect(refused.status).toBe(422);
    const { apiKey } = (await api.send('POST', '/workspaces', { name: 'n' })).body as { apiKey: string };
    const causes = async (send: Send, query: string) =>
      (await send('GET', `/audit-log?${query}`))
        .at<{ action: string; id: string; causationId: string }[]>('data')
        .map(({ action, id, causationId }) => ({ action, id, causationId }));
    const joined = { action: 'CampaignPostJoined', id: expect.stringMatching(/^evt_/), causationId: null };
    const [left, before] = await causes(api.send, `correlationId=${refused.headers['x-correlation-id']}`);
    expect([left, before]).toEqual([{ ...left, action: 'CampaignPostLeft', causationId: before!.id }, joined]);
    const [issued, created] = await causes(api.as(apiKey), '');
    expect(issued).toEqual({ ...issued, action: 'ApiKeyIssued', causationId: created!.id });
  });

  it('pages from end to end without a gap or a double', async () => {
    const positions: number[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await api.send('GET', `/audit-log?limit=2${cursor && `&cursor=${cursor}`}`);
      positions.push(...page.at<{ position: number }[]>('data').map(({ position }) => position));
      cursor = page.at<string | null>('nextCursor');
    }
    expect(positions).toEqual([...positions].sort((one, other) => other - one));
    expect(new Set(positions).size).toBe(positions.length);
    expect(positions.length).toBeGreaterThanOrEqual(5);
    expect(await api.send('GET', '/audit-log?cursor=x')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/cursor' }] },
    });
  });

  it('exports the same as lines and as a table, packed when asked', async () => {
    const list = (await api.send('GET', '/audit-log?entityId=acct_1')).at<object[]>('data');
    const lines = await api.send('GET', '/audit-log/export?entityId=acct_1');
    expect(lines.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
    expect(
      lines.text
        .trim()
        .split('\n')
        // What the log holds of personal values is beside them in the export alone.
        .map((line) => ({ ...(JSON.parse(line) as object), sealed: undefined })),
    ).toEqual(list);
    const table = await api.send('GET', '/audit-log/export?format=csv&entityId=acct_1');
    expect(table.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(table.text.split('\r\n')).toHaveLength(4);
    const packed = await new Promise<Buffer>((take) =>
      request(
        `${api.running.url}/api/v1/audit-log/export?entityId=acct_1`,
        { headers: { authorization: `Bearer ${api.key}`, 'accept-encoding': 'gzip' } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => take(Buffer.concat(chunks)));
        },
      ).end(),
    );
    expect(gunzipSync(packed).toString()).toBe(lines.text);
    expect(await api.send('GET', '/audit-log/export?format=pdf')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/format' }] },
    });
  });

  it('shows a thing as it stood, in the shape of its GET', async () => {
    const [disconnected, connected] = (await api.send('GET', '/audit-log?entityId=acct_1')).at<{ at: string }[]>(
      'data',
    ) as [{ at: string }, { at: string }];
    expect(await api.send('GET', `/audit-log/entities/account/acct_1?at=${connected.at}`)).toMatchObject({
      status: 200,
      body: {
        entityType: 'account',
        id: 'acct_1',
        at: connected.at,
        revision: 0,
        state: { id: 'acct_1', status: 'connected' },
      },
    });
    expect((await api.send('GET', `/audit-log/entities/account/acct_1?at=${disconnected.at}`)).at('state')).toEqual(
      (await api.send('GET', '/accounts/acct_1')).body,
    );
    for (const path of ['account/acct_1?at=2020-01-01T00:00:00Z', 'account/acct_none', 'nonsense/acct_1'])
      expect(await api.send('GET', `/audit-log/entities/${path}`)).toMatchObject({
        status: 404,
        body: { code: 'ENTITY_NOT_FOUND' },
      });
  });

  it('is verified from what was kept on, and says how far it came when its time is over', async () => {
    const { apiKey, id } = (await api.send('POST', '/workspaces', { name: 'Verified' })).body as {
      apiKey: string;
      id: string;
    };
    const send = api.as(apiKey);
    const created = (n: number) => ({
      id: uuidv7(),
      type: 'MediaProcessed',
      data: { mediaId: 'med_long', kind: 'image', url: `https://example.com/${n}`, bytes: n },
      metadata: {
        workspace: id,
        actor: 'usr_ada',
        correlationId: 'c',
        causationId: null,
        commandId: uuidv7(),
        schemaVersion: 1,
        occurredAt: '2026-05-01T10:00:00.000Z',
      },
    });
    const added = {
      ...created(0),
      type: 'MediaAdded',
      data: { mediaId: 'med_long', kind: 'image', url: null, bytes: null },
    };
    const many = Array.from({ length: 1_100 }, (_, n) => (n === 0 ? added : created(n)));
    await api.running.engines.store.append(`media-${id}:med_long`, many, -1);
    // Any command through the api: what it answers next has seen what was appended before.
    await send('POST', '/campaigns', { id: 'cmp_last', name: 'c', profileId: 'p' });
    const { db, store } = api.running.engines;
    await send('GET', '/audit-log');
    await db.query(
      "insert into projector.checkpoint (name, version, shape, status, position) values ('audit', 1, '1', 'current', $1)",
      [await store.head()],
    );
    const whole = await send('GET', '/audit-log/verify');
    const [newest] = (await send('GET', '/audit-log?limit=1')).at<{ position: number; hash: string }[]>('data');
    const { position, hash } = newest!;
    const entries = whole.at<number>('entries');
    expect(whole.body).toEqual({ ok: true, entries, position, hash, complete: true });
    expect(entries).toBeGreaterThan(1_100);

    const over = jest.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort());
    const part = (await send('GET', '/audit-log/verify')).body as { entries: number; position: number; hash: string };
    over.mockRestore();
    expect(part).toMatchObject({ ok: true, entries: 1_000, complete: false });
    const from = (at: number, expected: string) =>
      send('GET', `/audit-log/verify?fromPosition=${at}&expectedHash=${expected}`);
    expect((await from(part.position, part.hash)).body).toEqual({
      ...(whole.body as object),
      entries: entries - 1_000,
    });
    expect(await from(part.position, 'ab'.repeat(32))).toMatchObject({
      status: 200,
      body: { ok: false, broken: { position: part.position, reason: 'changed', id: expect.stringMatching(/^evt_/) } },
    });
    expect((await from(position + 1_000_000, part.hash)).body).toEqual({
      ok: false,
      broken: { id: null, position: position + 1_000_000, reason: 'missing' },
    });
    const ofNothing = [`expectedHash=${hash}`, `expectedHash=${hash}&fromPosition=0`];
    const unreadable = ['fromPosition=x', 'fromPosition=-1', 'expectedHash=abc', `expectedHash=${'AB'.repeat(32)}`];
    for (const query of [...unreadable, ...ofNothing])
      expect(await send('GET', `/audit-log/verify?${query}`)).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: `/${query.split('=')[0]}` }] },
      });
  });
});
