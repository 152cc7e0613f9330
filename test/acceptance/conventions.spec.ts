import { eventually } from '#testing';
import { Client, type Answer } from '../harness/client';
import { Standalone } from '../harness/standalone';

const ACCOUNT = { platform: 'mastodon', username: 'somebody', profileId: 'prof_1' };

interface Problem {
  readonly code: string;
  readonly errors: readonly { pointer: string }[];
}

let standalone: Standalone;
let api: Client;
beforeAll(async () => {
  standalone = await Standalone.start({ PUBLISHER: 'none' });
  api = standalone.client();
});
afterAll(() => standalone.remove());

const keyWith = async (scopes: string[], more: object = {}): Promise<{ id: string; client: Client }> => {
  const { id, key } = await api.must<{ id: string; key: string }>(201, 'POST', '/api-keys', {
    name: 'one',
    scopes,
    ...more,
  });
  return { id, client: standalone.client(key) };
};
const workspace = async (): Promise<Client> =>
  standalone.client((await api.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Another' })).apiKey);
const post = (path: string, body: object, headers: Record<string, string> = {}): Promise<Answer<Problem>> =>
  api.post<Problem>(path, body, { headers });
const pointers = ({ body }: Answer<Problem>): string[] => body.errors.map(({ pointer }) => pointer);

describe('input', () => {
  it.each([
    ['an id of another noun', 'pst_1', 400],
    ['a bare prefix', 'acct_', 400],
    ['65 characters', `acct_${'a'.repeat(65)}`, 400],
    ['a dot', 'acct_a.b', 400],
    ['a line end', 'acct_a\n', 400],
    ['64 characters', `acct_${'a'.repeat(64)}`, 201],
    ['every kind of character', 'acct_aZ09-_', 201],
  ])('takes or refuses a chosen id: %s', async (_, id, status) => {
    expect((await post('/accounts', { ...ACCOUNT, id })).status).toBe(status);
  });

  it('points to every wrong place', async () => {
    const answer = await post('/posts', {
      profileId: 7,
      content: { text: 'x', mediaIds: ['med_1', 5] },
      destinations: [
        { accountId: 'acct_1', platform: 'ok' },
        { accountId: 'nobody', platform: 'ok', 'a/b~c': 1 },
      ],
      more: true,
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(pointers(answer).sort()).toEqual(
      ['/content/mediaIds/1', '/destinations/1/a~1b~0c', '/destinations/1/accountId', '/more', '/profileId'].sort(),
    );
  });

  it('points to a member of a list that is no object, or no id', async () => {
    const destinations = [{ accountId: 'acct_1', platform: 'ok' }, null];
    expect(pointers(await post('/posts', { profileId: 'p', content: { text: 'x' }, destinations }))).toEqual([
      '/destinations/1',
    ]);
    expect(pointers(await post('/posts/pst_1/retry', { destinationIds: ['dst_1', 'other'] }))).toEqual([
      '/destinationIds/1',
    ]);
  });

  it.each(['{"a":', '[]', '"text"', 'null', '{"__proto__":{},"platform":"ab"}'])('refuses %s', async (raw) => {
    expect(await api.call<Problem>('POST', '/accounts', undefined, { raw })).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED' },
    });
  });

  it('takes 256 KiB and not a byte more', async () => {
    const body = JSON.stringify(ACCOUNT);
    const padded = (size: number) => ({ raw: body + ' '.repeat(size - body.length) });
    expect((await api.call('POST', '/accounts', undefined, padded(262_144))).status).toBe(201);
    expect((await api.call('POST', '/accounts', undefined, padded(262_145))).status).toBe(413);
  });

  it.each(['/accounts?limit=0', '/accounts?limit=201', '/accounts?cursor=abc', '/posts?from=x', '/posts?foo=1'])(
    'refuses %s and says which parameter',
    async (path) => {
      const answer = await api.get<Problem>(path);
      expect(answer.status).toBe(400);
      expect(pointers(answer)).toEqual([`/${/\?(\w+)/.exec(path)![1]}`]);
    },
  );
});

describe('keys and scopes', () => {
  it.each([
    ['read', 'GET', '/posts', 200],
    ['webhooks', 'GET', '/webhooks/contracts', 200],
    ['audit', 'GET', '/audit-log', 200],
    ['commands', 'POST', '/regions/eu/performance', 400],
    ['publish', 'POST', '/posts/pst_x/destinations/dst_x/outcome', 400],
    ['operator', 'POST', '/workspaces', 400],
  ])('asks for %s, and for nothing else, at %s %s', async (scope, method, path, status) => {
    const body = method === 'POST' ? {} : undefined;
    const others = ['read', 'commands', 'publish', 'webhooks', 'audit', 'operator'].filter((it) => it !== scope);
    expect((await (await keyWith([scope])).client.call(method, path, body)).status).toBe(status);
    expect(await (await keyWith(others)).client.call(method, path, body)).toMatchObject({
      status: 403,
      body: { code: 'SCOPE_MISSING' },
    });
  });

  it('lets admin imply all but operator, and nobody give what they do not have', async () => {
    const other = await workspace();
    expect((await other.get('/audit-log')).status).toBe(200);
    expect((await other.post('/workspaces', { name: 'x' })).status).toBe(403);
    expect((await other.post('/api-keys', { name: 'x', scopes: ['operator'] })).status).toBe(403);
  });

  it('ends a key at once', async () => {
    const { id, client } = await keyWith(['read']);
    expect((await client.get('/posts')).status).toBe(200);
    expect((await api.delete(`/api-keys/${id}`)).status).toBe(204);
    expect((await client.get('/posts')).status).toBe(401);
  });

  it('lets a client do sixty requests a minute', async () => {
    const { client } = await keyWith(['read'], { kind: 'client' });
    const answers = await Promise.all(Array.from({ length: 63 }, () => client.get('/posts?limit=1')));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(60);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('ratelimit-limit')).toBe('60');
  });

  it('hides what is another workspace’s, and lets it have the same id', async () => {
    const other = await workspace();
    const { id } = await api.account();
    expect((await other.get(`/accounts/${id}`)).status).toBe(404);
    expect((await other.post(`/accounts/${id}/disconnect`, { reason: 'x' })).status).toBe(404);
    expect((await other.post('/accounts', { ...ACCOUNT, id })).status).toBe(201);
    expect(await post('/accounts', { ...ACCOUNT, id })).toMatchObject({
      status: 409,
      body: { code: 'ACCOUNT_ALREADY_EXISTS' },
    });
  });
});

describe('the same request again', () => {
  it.each([
    ['/campaigns', { name: 'One', profileId: 'p' }],
    ['/api-keys', { name: 'One', scopes: ['read'] }],
    ['/workspaces', { name: 'One' }],
  ])('gets one answer of %s, however many run at once', async (path, body) => {
    const headers = { 'idempotency-key': `at-once-${path}` };
    const answers = await Promise.all(Array.from({ length: 8 }, () => api.post(path, body, { headers })));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]!.status).toBe(201);
  });

  it('is refused with another body or path, but not in another workspace', async () => {
    const headers = { 'idempotency-key': 'reused' };
    await api.must(201, 'POST', '/accounts', ACCOUNT, { headers });
    for (const [path, body] of [
      ['/accounts', { ...ACCOUNT, username: 'x' }],
      ['/campaigns', ACCOUNT],
    ] as const)
      expect(await post(path, body, headers)).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
    expect((await (await workspace()).post('/accounts', { ...ACCOUNT, username: 'x' }, { headers })).status).toBe(201);
  });
});

describe('revisions', () => {
  it('counts from 0, and refuses a write on a stale one', async () => {
    const created = await api.post<{ id: string }>('/accounts', ACCOUNT);
    expect(created.headers.get('etag')).toBe('"0"');
    const path = `/accounts/${created.body.id}`;
    const change = (tag: string) =>
      post(`${path}/credential`, { expiresAt: '2040-01-01T00:00:00Z' }, { 'if-match': tag });
    expect((await change('"0"')).headers.get('etag')).toBe('"1"');
    expect(await change('"0"')).toMatchObject({ status: 412, body: { code: 'REVISION_STALE' } });
    const read = await api.get(`${path}?minRevision=1`);
    expect([read.status, read.headers.get('etag')]).toEqual([200, '"1"']);
  });

  it('does not find what is not there, whatever its revision should be', async () => {
    expect(await post('/accounts/acct_none/disconnect', { reason: 'x' }, { 'if-match': '"3"' })).toMatchObject({
      status: 404,
      body: { code: 'ACCOUNT_NOT_FOUND' },
    });
  });

  it('says when the read model has not come so far', async () => {
    const { id } = await api.account();
    const answer = await api.get(`/accounts/${id}?minRevision=4`, { headers: { prefer: 'wait=0' } });
    expect(answer).toMatchObject({ status: 504, body: { code: 'READ_MODEL_BEHIND' } });
  });
});

it('gives pages that stay as they are while more is written', async () => {
  const other = await workspace();
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.unshift((await other.account()).id);
  type Page = { data: { id: string }[]; nextCursor: string | null };
  await eventually(async () => expect((await other.get<Page>('/accounts')).body.data).toHaveLength(5));
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { body }: Answer<Page> = await other.get<Page>(`/accounts?limit=2${cursor && `&cursor=${cursor}`}`);
    seen.push(...body.data.map(({ id }) => id));
    cursor = body.nextCursor;
    await other.account();
  }
  expect(seen).toEqual(ids);
});

it('echoes what a request belongs to', async () => {
  const echoed = async (headers: Record<string, string>) =>
    (await api.get('/posts?limit=1', { headers })).headers.get('x-correlation-id');
  expect(await echoed({ 'x-correlation-id': 'mine-1' })).toBe('mine-1');
  expect(await echoed({ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' })).toBe(
    '0af7651916cd43dd8448eb211c80319c',
  );
});
