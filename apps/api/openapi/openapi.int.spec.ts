import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiText } from './openapi-text';
import { bootApi, type BootedApi } from '../testing/boot-api';

const CHECKED_IN = join(__dirname, '../../../docs/reference/openapi.json');

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, { 'x-scope'?: string; operationId: string }>>>>;
  readonly webhooks: Readonly<Record<string, unknown>>;
}

/** What must be there for a path's ids to be of somebody else; the rest of the routes has no id of a thing. */
const NO_IDS_OF_THINGS: Readonly<Record<string, string>> = {
  'POST /api/v1/assets/{id}/organize': 'comes into being with its first command',
  'POST /api/v1/assets/{id}/deliver': 'comes into being with its first command',
  'POST /api/v1/galleries/{id}/update': 'comes into being with its first command',
  'POST /api/v1/content/{id}/adaptation': 'comes into being with its first command',
  'POST /api/v1/regions/{region}/performance': 'comes into being with its first command',
};

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

describe('the OpenAPI document', () => {
  let api: BootedApi;
  let document: Document;
  beforeAll(async () => {
    api = await bootApi({ views: true });
    document = (await api.send('GET', '//docs-json', undefined, { authorization: undefined })).body as Document;
  });
  afterAll(() => api.close());

  const routes = () =>
    Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, operation]) =>
        operation['x-scope'] === undefined
          ? []
          : [
              {
                name: `${method.toUpperCase()} ${path}`,
                path,
                method: method.toUpperCase(),
                scope: operation['x-scope'],
                operation,
              },
            ],
      ),
    );
  const concrete = (path: string, id = 'pst_1') => `/${path.replaceAll(/\{\w+\}/g, id)}`;

  it('is valid OpenAPI 3.1, webhooks included', () => {
    const script =
      "import { Validator } from '@seriousme/openapi-schema-validator'; let text = ''; for await (const part of process.stdin) text += part; console.log(JSON.stringify(await new Validator().validate(JSON.parse(text))));";
    // The validator is an ES module, which Jest does not load here.
    const result = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: __dirname,
      input: JSON.stringify(document),
      encoding: 'utf8',
    });
    expect(JSON.parse(result)).toEqual({ valid: true });
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.webhooks)).toEqual(
      expect.arrayContaining(['core.post.published', 'post-ez.post.published']),
    );
  });

  it('is the one that is checked in', async () => {
    const text = await openApiText();
    expect(JSON.parse(text)).toEqual(document);
    // Compared as a boolean: a difference of a megabyte tells nobody anything.
    expect(text === readFileSync(CHECKED_IN, 'utf8') || 'docs/reference/openapi.json is old: npm run docs').toBe(true);
  });

  it('names every operation once', () => {
    const ids = routes().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(70);
  });

  it('has no route that answers without a key', async () => {
    for (const { name, method, path } of routes())
      expect([name, (await api.send(method, concrete(path), undefined, { authorization: undefined })).status]).toEqual([
        name,
        401,
      ]);
  });

  it('has no route that a key without its scope may use', async () => {
    for (const { name, method, path, scope } of routes()) {
      // Admin implies the ones before it, so a key without one of those is one that has only another.
      const other = scope === 'audit' ? 'webhooks' : scope === 'operator' ? 'admin' : 'audit';
      const answer = await (await keyWith(other))(method, concrete(path));
      expect([name, answer.status, answer.at('code')]).toEqual([name, 403, 'SCOPE_MISSING']);
    }
  });

  it('answers 404 for every id of another workspace, and never changes what is there', async () => {
    const { apiKey } = (await api.send('POST', '/workspaces', { name: 'Other' })).body as { apiKey: string };
    const theirs = api.as(apiKey);
    const mine = await makeOneOfEach();
    const before = await api.running.engines.store.head();
    for (const { name, method, path } of routes()) {
      if (!path.includes('{') || NO_IDS_OF_THINGS[name]) continue;
      const id =
        mine[
          path.split('/')[3] === 'webhooks' || path.split('/')[3] === 'team' ? path.split('/')[4]! : path.split('/')[3]!
        ] ?? 'pst_mine';
      const target = path.includes('/entities/')
        ? '/audit-log/entities/post/pst_mine'
        : path
            .replace('/api/v1', '')
            .replace('{destinationId}', mine['destination']!)
            .replaceAll(/\{\w+\}/g, id);
      const body = method === 'GET' || method === 'DELETE' ? undefined : (BODIES[path.split('/').at(-1)!] ?? undefined);
      const answer = await theirs(method, target, path.includes('/deliveries/') ? undefined : body);
      expect([name, answer.status]).toEqual([name, 404]);
    }
    expect(await api.running.engines.store.head()).toBe(before);
  });

  const keys = new Map<string, ReturnType<BootedApi['as']>>();
  async function keyWith(scope: string) {
    const known = keys.get(scope);
    if (known) return known;
    const { key } = (await api.send('POST', '/api-keys', { name: scope, scopes: [scope] })).body as { key: string };
    const send = api.as(key);
    keys.set(scope, send);
    return send;
  }

  /** A thing of each noun in the first workspace, by the segment of its path. */
  async function makeOneOfEach(): Promise<Record<string, string>> {
    const make = async (path: string, body: object) => {
      const answer = await api.send('POST', path, body);
      expect([path, answer.status, answer.text]).toEqual([
        path,
        expect.any(Number),
        expect.stringMatching(/^\{"(?!type)/),
      ]);
      return answer;
    };
    await make('/accounts', { id: 'acct_mine', platform: 'instagram', username: 'n', profileId: 'p' });
    const post = await make('/posts', {
      id: 'pst_mine',
      profileId: 'p',
      content: { text: 'x' },
      destinations: [{ accountId: 'acct_mine', platform: 'instagram' }],
    });
    await make('/campaigns', { id: 'cmp_mine', name: 'x', profileId: 'p' });
    await make('/team/invitations', { id: 'inv_mine', email: 'a@example.com', role: 'editor' });
    await make('/team/invitations/inv_mine/accept', { userId: 'usr_mine' });
    await make('/media', { id: 'med_mine', kind: 'image' });
    await make('/operations', { id: 'op_mine', kind: 'batch', total: 5 });
    await make('/designs', { id: 'dsg_mine', clientId: 'c' });
    await make('/assets/ast_mine/organize', { clientId: 'c', folder: 'f' });
    await make('/galleries/gal_mine/update', { region: 'r', added: [], removed: [] });
    await make('/content/cnt_mine/adaptation', { region: 'r', locale: 'da' });
    await make('/regions/mine/performance', { period: 'p', impressions: 1, engagements: 1, contentCount: 1 });
    await make('/subscription/payments', {
      invoiceId: 'in_mine',
      amountCents: 1,
      currency: 'EUR',
      outcome: 'succeeded',
    });
    await make('/webhooks/endpoints', { id: 'whe_mine', targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] });
    const key = await make('/api-keys', { name: 'k', scopes: ['read'] });
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
      regions: 'mine',
      subscription: 'in_mine',
      endpoints: 'whe_mine',
      'api-keys': key.at('id'),
      deliveries: 'dlv_01a1fc5d-04f2-795e-8a37-350f031a1381',
      jobs: 'job_mine',
    };
  }
});
