import { aggregates } from '#public-messages';
import { eventually } from '#testing';
import { bootApi, type BootedApi } from '../testing/boot-api';

type Step = readonly [path: string, body?: object];
type Lists = Readonly<Record<string, string>>;

const ACCOUNT = { id: 'acct_1', platform: 'instagram', username: 'n', profileId: 'p' };
const POST = {
  id: 'pst_1',
  profileId: 'p',
  content: { text: 'x' },
  destinations: [{ accountId: 'acct_of_post', platform: 'instagram' }],
  scheduledAt: '2035-01-01T00:00:00Z',
};
const FOLDER = { clientId: 'c', folder: 'a/b' };
const PERFORMANCE = { period: '2026-04', impressions: 1, engagements: 0, contentCount: 2 };
const ENDPOINT = { id: 'whe_1', targetUrl: 'http://127.0.0.1:9/', eventTypes: ['post.*'] };

describe('every sort of thing, as it stood', () => {
  let api: BootedApi;
  beforeAll(async () => (api = await bootApi({ views: true })));
  afterAll(() => api.close());

  /** A first command, another that changes the thing, and the GETs that answer with it: one whole, or the lists that make it up. */
  const HISTORIES: Readonly<Record<string, readonly [id: string, first: Step, then: Step, get: string | Lists]>> = {
    post: ['pst_1', ['/posts', POST], ['/posts/pst_1/cancel', { reason: 'no' }], '/posts/pst_1'],
    campaign: [
      'cmp_1',
      ['/campaigns', { id: 'cmp_1', name: 'c', profileId: 'p' }],
      ['/campaigns/cmp_1/close'],
      '/campaigns/cmp_1',
    ],
    account: [
      'acct_1',
      ['/accounts', ACCOUNT],
      ['/accounts/acct_1/disconnect', { reason: 'left' }],
      '/accounts/acct_1',
    ],
    media: [
      'med_1',
      ['/media', { id: 'med_1', kind: 'image' }],
      ['/media/med_1/processed', { url: 'https://example.com/m', bytes: 1 }],
      '/media/med_1',
    ],
    operation: [
      'op_1',
      ['/operations', { id: 'op_1', kind: 'batch', total: 2 }],
      ['/operations/op_1/progress', { done: 1 }],
      '/operations/op_1',
    ],
    design: ['dsg_1', ['/designs', { id: 'dsg_1', clientId: 'c' }], ['/designs/dsg_1/submit'], '/designs/dsg_1'],
    asset: ['ast_1', ['/assets/ast_1/organize', FOLDER], ['/assets/ast_1/deliver', FOLDER], '/assets/ast_1'],
    gallery: [
      'gal_1',
      ['/galleries/gal_1/update', { region: 'eu', added: ['x', 'y'], removed: [] }],
      ['/galleries/gal_1/update', { region: 'eu', added: [], removed: ['x'] }],
      '/galleries/gal_1',
    ],
    content: [
      'cnt_1',
      ['/content/cnt_1/adaptation', { region: 'eu', locale: 'da-DK', reasons: ['idiom'] }],
      ['/content/cnt_1/adaptation', { region: 'eu', locale: 'sv-SE' }],
      '/content/cnt_1',
    ],
    region: [
      'eu',
      ['/regions/eu/performance', PERFORMANCE],
      ['/regions/eu/performance', { ...PERFORMANCE, impressions: 9 }],
      '/regions/eu',
    ],
    team: [
      '',
      ['/team/invitations', { id: 'inv_1', email: 'ada@example.com', role: 'editor' }],
      ['/team/invitations/inv_1/accept', { userId: 'usr_ada' }],
      { members: '/team/members', invitations: '/team/invitations' },
    ],
    subscription: [
      '',
      ['/subscription/plan', { plan: 'starter' }],
      ['/subscription/plan', { plan: 'pro', effectiveAt: '2035-01-01T00:00:00Z' }],
      '/subscription',
    ],
    webhook_endpoint: [
      'whe_1',
      ['/webhooks/endpoints', ENDPOINT],
      ['/webhooks/endpoints/whe_1/disable'],
      '/webhooks/endpoints/whe_1',
    ],
  };
  /** Those whose GET tells of more than the log knows, each with what it is. */
  const LOG_KNOWS_LESS: Readonly<Record<string, string>> = {
    workspace: 'has no GET',
    api_key: 'its list tells of its last use, which is no event',
    subject: 'its GET counts events and says what can still be read, which is so now and not then',
    webhook_delivery: 'its attempts are the delivery service’s own',
  };

  it('is known by one of two lists', () => {
    const categories = aggregates.map(({ category }) => category).sort();
    expect([...Object.keys(HISTORIES), ...Object.keys(LOG_KNOWS_LESS)].sort()).toEqual(categories);
  });

  it.each(Object.keys(HISTORIES))('%s: what its GET had answered then, and what it answers now', async (type) => {
    const [own, first, then, get] = HISTORIES[type]!;
    const id = own || api.workspace;
    const answered = async (): Promise<object> => {
      if (typeof get === 'string') return (await api.send('GET', get)).body as object;
      const lists = Object.entries(get).map(async ([name, path]) => [name, (await api.send('GET', path)).at('data')]);
      return Object.fromEntries(await Promise.all(lists)) as object;
    };
    if (type === 'post') await api.send('POST', '/accounts', { ...ACCOUNT, id: 'acct_of_post' });
    expect([200, 201]).toContain((await api.send('POST', ...first)).status);
    const before = await answered();
    const moment = async () => (await api.send('GET', `/audit-log?entityType=${type}&limit=1`)).at('data', 0, 'at');
    const at = await moment();
    // Time has to pass, so that the two can be told apart by it.
    await new Promise<void>((passed) => {
      const look = () => (Date.now() > Date.parse(at) ? passed() : setImmediate(look));
      look();
    });
    expect((await api.send('POST', ...then)).status).toBe(200);
    const after = await answered();
    expect(after).not.toEqual(before);
    for (const [time, state] of [
      [at, before],
      [await moment(), after],
    ] as const)
      expect((await api.send('GET', `/audit-log/entities/${type}/${id}?at=${time}`)).body).toEqual({
        entityType: type,
        id,
        at: time,
        revision: expect.any(Number),
        state,
      });
    const early = await api.send('GET', `/audit-log/entities/${type}/${id}?at=2020-01-01T00:00:00Z`);
    expect(early.status).toBe(404);
  });

  it('knows a deleted endpoint as it stood before, and not since', async () => {
    const endpoint = { id: 'whe_deleted', targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] };
    expect((await api.send('POST', '/webhooks/endpoints', endpoint)).status).toBe(201);
    const { body: state } = await api.send('GET', '/webhooks/endpoints/whe_deleted');
    const { at } = (await api.send('GET', '/audit-log?entityId=whe_deleted')).at<{ at: string }>('data', 0);
    await eventually(() => Date.now() > Date.parse(at));
    expect((await api.send('DELETE', '/webhooks/endpoints/whe_deleted')).status).toBe(204);
    const entity = (query: string) => api.send('GET', `/audit-log/entities/webhook_endpoint/whe_deleted${query}`);
    expect(await entity(`?at=${at}`)).toMatchObject({ status: 200, body: { revision: 0, state } });
    expect(await entity('')).toMatchObject({ status: 404, body: { code: 'ENTITY_NOT_FOUND' } });
  });

  it('says of an entity that it has lost something to an erasure, as the reference describes it', async () => {
    const account = { id: 'acct_erased', platform: 'instagram', username: 'ada', profileId: 'p' };
    expect(await api.send('POST', '/accounts', account)).toMatchObject({ status: 201 });
    expect(await api.send('POST', '/subjects/acct_erased/erase')).toMatchObject({ status: 200 });
    expect(await api.send('GET', '/audit-log/entities/account/acct_erased')).toMatchObject({
      status: 200,
      body: { state: { username: null, erased: true }, erased: true },
    });
  });
});
