import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { eventually } from '#testing';
import { bootApi, type BootedApi, type Send } from '../testing/boot-api';

/** Routes that ask for no key, each with its reason. Whatever else the server answers to is in the document, with a scope. */
const WITHOUT_A_KEY: Readonly<Record<string, string>> = {
  'GET /health/live': 'asked by whoever runs the process; says nothing of any workspace',
  'GET /health/ready': 'the same: parts and engines',
  'GET /metrics': 'the same: counters; METRICS_PORT binds it elsewhere',
  'GET /docs': 'the reference, the same for everybody',
  'GET /docs/': 'the reference, the same for everybody',
  'GET /docs-json': 'the reference, the same for everybody',
  'GET /docs/start.js': 'of the page of the reference',
  'GET /docs/{file}': 'of the page of the reference',
};

/** Routes with an id in their path where another workspace's id is no 404, each with its reason. */
const MADE_BY_ITS_FIRST_COMMAND: Readonly<Record<string, object>> = {
  'POST /api/v1/assets/{id}/organize': { clientId: 'c', folder: 'theirs' },
  'POST /api/v1/assets/{id}/deliver': { clientId: 'c', folder: 'theirs' },
  'POST /api/v1/galleries/{id}/update': { region: 'r', added: ['theirs'], removed: [] },
  'POST /api/v1/content/{id}/adaptation': { region: 'r', locale: 'da' },
  'POST /api/v1/regions/{region}/performance': { period: 'p', impressions: 7, engagements: 7, contentCount: 7 },
};

/** GETs without an id in their path that are no list of a workspace's things, each with its reason. */
const NO_LIST: Readonly<Record<string, string>> = {
  'GET /api/v1/stream': 'has no end; its own test shows that it tells one workspace only',
  'GET /api/v1/webhooks/contracts': 'the same for everybody',
  'GET /api/v1/webhooks/event-types': 'the same for everybody',
};
/** Answers that hold no text of the workspace, whoever asks. */
const WITHOUT_TEXT = ['GET /api/v1/subscription', 'GET /api/v1/audit-log/verify'];

/** What a read asks of the database as the owner of all rows, each with its reason; the rest goes through `inWorkspace`. */
const AS_OWNER: readonly (readonly [RegExp, string])[] = [
  [/\blog\.(event|head|snapshot)\b/, 'the log is read by stream, whose name holds the workspace'],
  [/\bapi\.key\b.*\bhash = any/s, 'a key is found by its hash, and says the workspace'],
  [/^update api\.key set last_used_at\b/, 'which keys were used is written down for all workspaces together'],
  [/\bprojector\.checkpoint\b/, 'how far each view is: names and positions'],
  [/\bdelivery\.inbox\b/, 'which messages were handled: positions'],
  [/\bsubject\.key\b/, 'the wrapped keys of personal data, which the reader may not see at all'],
  [
    /\bsubject = any\(\$2\)|\bposition\(p\.mark in b\.body\) > 0/,
    'what was sent of a subject is searched for in stored bodies, which the reader may only ask for one by one',
  ],
];

/** A body that passes each route's check of its input, so that what is met is the thing and not its input. */
const BODIES: Readonly<Record<string, object>> = {
  reschedule: { scheduledAt: '2035-01-01T00:00:00Z' },
  outcome: { outcome: 'published', platformPostId: '1', url: 'https://example.com/1' },
  disconnect: { reason: 'x' },
  credential: { expiresAt: '2035-01-01T00:00:00Z' },
  accept: { userId: 'usr_1' },
  role: { role: 'editor' },
  processed: { url: 'https://example.com/m', bytes: 1 },
  progress: { done: 1 },
  fail: { error: { code: 'x', message: 'x' } },
  'request-revision': { note: 'x' },
  compliance: { guidelines: ['a'], violations: [] },
  replay: { since: '2020-01-01T00:00:00Z' },
};

const DELIVERY = '01a1fc5d-04f2-795e-8a37-350f031a1381';
/** In every thing of the first workspace that has a text: nobody else may ever meet it. */
const MARK = 'of_the_first_workspace';

interface Route {
  readonly name: string;
  readonly path: string;
  readonly method: string;
  readonly scope: string;
}

describe('who may see what', () => {
  let api: BootedApi;
  let routes: readonly Route[];
  let theirs: Send;
  let mine: Readonly<Record<string, string>>;
  beforeAll(async () => {
    api = await bootApi({ views: true });
    routes = await documented();
    mine = await makeOneOfEach();
    const other = (await api.send('POST', '/workspaces', { name: 'Other' })).body as { apiKey: string };
    theirs = api.as(other.apiKey);
  });
  afterAll(() => api.close());

  async function documented(): Promise<Route[]> {
    const { body } = await api.send('GET', '//docs-json', undefined, { authorization: undefined });
    const { paths } = body as { paths: Record<string, Record<string, { 'x-scope'?: string }>> };
    return Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([verb, { 'x-scope': scope }]) => {
        const method = verb.toUpperCase();
        return scope === undefined ? [] : [{ name: `${method} ${path}`, path, method, scope }];
      }),
    );
  }

  /** The path with ids of the first workspace in it. */
  function pathTo({ path }: Route): string {
    const [, , , noun = '', part = ''] = path.split('/');
    const id = mine[noun === 'webhooks' || noun === 'team' ? part : noun] ?? 'pst_mine';
    return path
      .replace('/api/v1', '')
      .replace('{type}/{id}', 'post/pst_mine')
      .replace('{destinationId}', mine['destination']!)
      .replaceAll(/\{\w+\}/g, id);
  }

  it('has no route outside the document but those that say why they need no key', () => {
    const server = api.running.app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
    const known = new Set([...routes.map(({ name }) => name), ...Object.keys(WITHOUT_A_KEY)]);
    const served = routesOf(server.printRoutes({ commonPrefix: false }));
    expect(served.length).toBeGreaterThan(80);
    expect(served.filter((name) => !known.has(name.replace(/^HEAD /, 'GET ')))).toEqual([]);
    expect([...known].filter((name) => !served.includes(name))).toEqual([]);
  });

  it('answers 401 on every route without a key, with a wrong one, and with one that has ended', async () => {
    const { id, key } = (await api.send('POST', '/api-keys', { name: 'ended', scopes: ['admin'] })).body as {
      id: string;
      key: string;
    };
    await api.send('DELETE', `/api-keys/${id}`);
    for (const authorization of [undefined, 'Bearer wrong', `Bearer ${key}`, `Basic ${api.key}`, api.key])
      for (const route of routes) {
        const answer = await api.send(route.method, pathTo(route), undefined, { authorization });
        expect([route.name, answer.status, answer.at('code')]).toEqual([route.name, 401, 'UNAUTHORIZED']);
      }
  });

  it('answers 403 on every route to a key with every scope but the one it needs', async () => {
    // Admin implies all of these but operator, so a key for a route of those has none of the implying ones either.
    const plain = ['read', 'commands', 'publish', 'webhooks', 'audit'];
    const keys = new Map<string, Send>();
    for (const route of routes) {
      const scopes =
        route.scope === 'admin'
          ? [...plain, 'operator']
          : route.scope === 'operator'
            ? [...plain, 'admin']
            : [...plain.filter((scope) => scope !== route.scope), 'operator'];
      if (!keys.has(route.scope))
        keys.set(
          route.scope,
          api.as((await api.send('POST', '/api-keys', { name: `all but ${route.scope}`, scopes })).at('key')),
        );
      const answer = await keys.get(route.scope)!(route.method, pathTo(route));
      expect([route.name, answer.status, answer.at('code'), answer.at('scope')]).toEqual([
        route.name,
        403,
        'SCOPE_MISSING',
        route.scope,
      ]);
    }
  });

  it('answers 404 on every route for an id of another workspace, where its own finds it, and changes nothing', async () => {
    const before = await api.running.engines.store.head();
    const walked: string[] = [];
    for (const route of routes) {
      if (!route.path.includes('{') || MADE_BY_ITS_FIRST_COMMAND[route.name]) continue;
      const target = pathTo(route);
      if (route.method === 'GET')
        expect([route.name, (await api.send('GET', target)).status]).toEqual([route.name, 200]);
      const body =
        route.method === 'GET' || route.method === 'DELETE' || route.path.includes('/deliveries/')
          ? undefined
          : BODIES[route.path.split('/').at(-1)!];
      const answer = await theirs(route.method, target, body);
      expect([route.name, answer.status, answer.text.includes(MARK)]).toEqual([route.name, 404, false]);
      walked.push(route.name);
    }
    expect(await api.running.engines.store.head()).toBe(before);
    expect(walked.length).toBeGreaterThan(45);
    expect(
      Object.keys(MADE_BY_ITS_FIRST_COMMAND).filter((name) => !routes.some((route) => route.name === name)),
    ).toEqual([]);
  });

  it('makes another thing of the same id where a thing comes into being with its first command', async () => {
    for (const [name, body] of Object.entries(MADE_BY_ITS_FIRST_COMMAND)) {
      const route = routes.find((each) => each.name === name)!;
      const thing = pathTo(route).split('/').slice(0, 3).join('/');
      const before = await api.send('GET', thing);
      const made = await theirs(route.method, pathTo(route), body);
      expect([name, made.status, made.text.includes(MARK)]).toEqual([name, 200, false]);
      expect((await theirs('GET', thing)).text).not.toContain(MARK);
      const after = await api.send('GET', thing);
      expect([name, after.text, after.headers['etag']]).toEqual([name, before.text, before.headers['etag']]);
    }
  });

  it('shows in every list and export its own alone', async () => {
    const fresh = api.as((await api.send('POST', '/workspaces', { name: 'Fresh' })).at('apiKey'));
    const OF_MINE = new RegExp(`_mine|${MARK}|${DELIVERY}`);
    for (const route of routes.filter(({ method, path }) => method === 'GET' && !path.includes('{'))) {
      if (NO_LIST[route.name]) continue;
      const [own, other] = [await api.send('GET', pathTo(route)), await fresh('GET', pathTo(route))];
      expect([route.name, own.status, other.status, OF_MINE.test(other.text)]).toEqual([route.name, 200, 200, false]);
      // A list that shows its own nothing proves nothing of others.
      expect([route.name, OF_MINE.test(own.text)]).toEqual([route.name, !WITHOUT_TEXT.includes(route.name)]);
    }
  });

  it('reads as the owner of all rows nothing but what says why', async () => {
    const asked = jest.spyOn(api.running.engines.db, 'query');
    const fresh = api.as(
      (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read', 'webhooks', 'audit', 'admin'] })).at('key'),
    );
    asked.mockClear();
    for (const route of routes)
      if (route.method === 'GET' && !NO_LIST[route.name])
        expect([route.name, (await fresh('GET', pathTo(route))).status]).toEqual([route.name, 200]);
    const texts = [...new Set(asked.mock.calls.map(([text]) => text))];
    asked.mockRestore();
    expect(texts.length).toBeGreaterThan(0);
    expect(texts.filter((text) => !AS_OWNER.some(([allowed]) => allowed.test(text)))).toEqual([]);
  });

  it.each([
    [
      'an account',
      '/posts',
      { profileId: 'p', content: { text: 'x' }, destinations: [{ accountId: 'acct_mine', platform: 'instagram' }] },
      'ACCOUNT_UNKNOWN',
    ],
    [
      'an event to start from',
      '/webhooks/endpoints',
      { targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'], startFrom: 'evt' },
      'EVENT_UNKNOWN',
    ],
    [
      'a campaign',
      '/posts',
      {
        profileId: 'p',
        content: { text: 'x' },
        destinations: [{ accountId: 'acct_theirs', platform: 'instagram' }],
        campaignId: 'cmp_mine',
      },
      'CAMPAIGN_UNKNOWN',
    ],
  ])('does not know %s of another workspace in a body either', async (_name, path, body, code) => {
    await theirs('POST', '/accounts', { id: 'acct_theirs', platform: 'instagram', username: 'n', profileId: 'p' });
    const event = (await api.send('GET', '/audit-log?limit=1')).at('data', 0, 'id');
    const answer = await theirs('POST', path, 'startFrom' in body ? { ...body, startFrom: event } : body);
    expect([answer.status, answer.at('code')]).toEqual([422, code]);
  });

  it('finds nothing by filters and cursors that name another workspace’s things', async () => {
    const cursor = (await api.send('GET', '/audit-log?limit=1')).at('nextCursor');
    for (const path of [
      '/webhooks/deliveries?endpointId=whe_mine',
      '/posts?campaignId=cmp_mine',
      '/audit-log?entityId=pst_mine',
      `/audit-log?cursor=${cursor}`,
      '/audit-log/export?entityId=pst_mine',
    ]) {
      const { status, text } = await theirs('GET', path);
      expect([path, status, text.includes(MARK)]).toEqual([path, 200, false]);
    }
    const { status } = await theirs('GET', '/audit-log/entities/account/acct_mine');
    expect(status).toBe(404);
  });

  /** A thing of each noun in the first workspace, by the segment of its path. */
  async function makeOneOfEach(): Promise<Record<string, string>> {
    const make = async (path: string, body: object) => {
      const answer = await api.send('POST', path, body);
      expect([path, Math.floor(answer.status / 100), answer.text]).toEqual([path, 2, expect.any(String)]);
      return answer;
    };
    await make('/accounts', { id: 'acct_mine', platform: 'instagram', username: MARK, profileId: 'p' });
    await make('/campaigns', { id: 'cmp_mine', name: MARK, profileId: 'p' });
    const post = await make('/posts', {
      id: 'pst_mine',
      profileId: 'p',
      campaignId: 'cmp_mine',
      content: { text: MARK },
      destinations: [{ accountId: 'acct_mine', platform: 'instagram' }],
    });
    await make('/team/invitations', { id: 'inv_mine', email: `${MARK}@example.com`, role: 'editor' });
    await make('/team/invitations/inv_mine/accept', { userId: 'usr_mine' });
    await make('/media', { id: 'med_mine', kind: 'image' });
    await make('/operations', { id: 'op_mine', kind: 'batch', total: 5 });
    await make('/designs', { id: 'dsg_mine', clientId: MARK });
    await make('/assets/ast_mine/organize', { clientId: MARK, folder: 'f' });
    await make('/galleries/gal_mine/update', { region: MARK, added: [], removed: [] });
    await make('/content/cnt_mine/adaptation', { region: MARK, locale: 'da' });
    await make('/regions/region_mine/performance', { period: MARK, impressions: 1, engagements: 1, contentCount: 1 });
    const payment = { invoiceId: 'in_mine', amountCents: 1, currency: 'EUR', outcome: 'succeeded' };
    await make('/subscription/payments', payment);
    await make('/webhooks/endpoints', { id: 'whe_mine', targetUrl: `http://127.0.0.1:9/${MARK}`, eventTypes: ['*'] });
    const key = await make('/api-keys', { name: MARK, scopes: ['read'] });
    await deliver();
    await eventually(async () =>
      expect((await api.send('GET', '/audit-log?entityId=whe_mine')).at('data')).not.toEqual([]),
    );
    return {
      destination: post.at('destinations', 0, 'id'),
      posts: 'pst_mine',
      accounts: 'acct_mine',
      campaigns: 'cmp_mine',
      invitations: 'inv_mine',
      members: 'usr_mine',
      media: 'med_mine',
      operations: 'op_mine',
      designs: 'dsg_mine',
      assets: 'ast_mine',
      galleries: 'gal_mine',
      content: 'cnt_mine',
      regions: 'region_mine',
      subscription: 'in_mine',
      subjects: 'acct_mine',
      endpoints: 'whe_mine',
      'api-keys': key.at('id'),
      deliveries: `dlv_${DELIVERY}`,
      jobs: 'job_mine',
    };
  }

  /** What the delivery service would have written. */
  const deliver = () =>
    api.running.engines.db.script(`
      insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
        values ('${api.workspace}', 'whe_mine', '{}', true, 'live', 0, 0, '[]', 1);
      insert into delivery.body (id, body) values ('${DELIVERY}', '{"text":"${MARK}"}');
      insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
        select '${DELIVERY}', no, 1, 1, '${randomUUID()}', '${randomUUID()}', '${DELIVERY}', 'post.published', 'k' from delivery.endpoint;
      insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code, response)
        values ('${DELIVERY}', 1, now(), 1, true, 200, '${MARK}');
      insert into delivery.job (id, workspace, endpoint, since, until) select 'job_mine', workspace, no, now(), now() from delivery.endpoint;
      insert into projector.checkpoint (name, version, shape, status, position) select 'audit', 1, '', 'current', max(position) from log.event`);
});

/** `METHOD /path/{name}` of each route in the server's own tree, whose lines are indented by four for each level. */
function routesOf(tree: string): string[] {
  const levels: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const found = /^((?:[│ ] {3})*)[├└]── (\S+) \(([A-Z, ]+)\)$/.exec(line);
    if (!found) return [];
    const [, indent = '', part = '', methods = ''] = found;
    const level = indent.length / 4;
    levels.length = level;
    levels[level] = part;
    const path = levels.join('').replace(/:(\w+)/g, '{$1}');
    return methods.split(', ').map((method) => `${method} ${path}`);
  });
}
