import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { verifyStandard } from '#webhook-signing';
import { openApiText } from './openapi-text';
import { bootApi, type BootedApi } from '../testing/boot-api';

const CHECKED_IN = join(__dirname, '../../../docs/reference/openapi.json');

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly object[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Content;
  };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

type Content = Readonly<Record<string, { readonly schema: object; readonly example?: object }>>;

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly webhooks: Readonly<Record<string, unknown>>;
}

/** What a schema of the document finds wrong with a value; null when it is well. */
function faultsOf(document: Document): (schema: object, value: unknown) => unknown {
  const ajv = addFormats(new Ajv2020({ strict: false }));
  ajv.addSchema(document, 'document');
  return (schema, value) => {
    const inDocument = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/'));
    return ajv.validate(inDocument, value) ? null : ajv.errors;
  };
}

describe('the OpenAPI document', () => {
  let api: BootedApi;
  let document: Document;
  beforeAll(async () => {
    api = await bootApi();
    document = (await api.send('GET', '//docs-json', undefined, { authorization: undefined })).body as Document;
  });
  afterAll(() => api.close());

  const operations = () => Object.values(document.paths).flatMap((of) => Object.values(of));

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

  // JSON Schema 2020-12 Core §6.4 asks for what every engine has: a reader in Python, Go or Rust stops at the rest.
  it('has no pattern that only JavaScript reads', () => {
    const patterns = new Set<string>();
    JSON.stringify(document, (key, value: unknown) => {
      if (key === 'pattern' && typeof value === 'string') patterns.add(value);
      return value;
    });
    expect(patterns.size).toBeGreaterThan(10);
    expect([...patterns].filter((pattern) => /\\[pPuck]|\(\?/.test(pattern))).toEqual([]);
  });

  it('is the one that is checked in', async () => {
    const text = await openApiText();
    expect(JSON.parse(text)).toEqual(document);
    // Compared as a boolean: a difference of a megabyte tells nobody anything.
    expect(text === readFileSync(CHECKED_IN, 'utf8') || 'docs/reference/openapi.json is old: npm run docs').toBe(true);
  });

  it('has the header that resumes the stream', () =>
    expect(document.paths['/api/v1/stream']!['get']!.parameters).toContainEqual(
      expect.objectContaining({ name: 'Last-Event-ID', in: 'header', required: false, schema: { type: 'string' } }),
    ));

  it('asks for a body where a command without one is refused, and nowhere else', async () => {
    const asking = Object.entries(document.paths).flatMap(([path, { post }]) =>
      post?.requestBody ? [{ path, isNeeded: post.requestBody.required }] : [],
    );
    expect(new Set(asking.map(({ isNeeded }) => isNeeded))).toEqual(new Set([true, false]));
    for (const { path, isNeeded } of asking) {
      const { status } = await api.send('POST', `/${path.replaceAll(/\{\w+\}/g, 'ast_none')}`);
      expect([path, status === 400]).toEqual([path, isNeeded]);
    }
  });

  it('shows a whole body for every operation that takes one, which its schema and its route take', async () => {
    const faults = faultsOf(document);
    for (const [path, of] of Object.entries(document.paths))
      for (const [method, { requestBody }] of Object.entries(of)) {
        if (!requestBody) continue;
        const { schema, example } = requestBody.content['application/json']!;
        expect([method, path, faults(schema, example)]).toEqual([method, path, null]);
        const prefix = { galleries: 'gal', content: 'cnt' }[path.split('/')[3]!] ?? 'ast';
        const one = `/${path.replaceAll(/\{\w+\}/g, `${prefix}_none`)}`;
        const { body } = await api.send(method.toUpperCase(), one, example);
        expect([method, path, body]).not.toMatchObject([method, path, { code: 'VALIDATION_FAILED' }]);
      }
  });

  it('shows a whole answer of every operation that answers with JSON, which its schema describes', () => {
    const faults = faultsOf(document);
    let shown = 0;
    for (const [path, of] of Object.entries(document.paths))
      for (const [method, { responses }] of Object.entries(of))
        for (const [status, { content }] of Object.entries(responses)) {
          const answer = content?.['application/json'];
          if (!answer) continue;
          shown++;
          expect([method, path, status, answer.example !== undefined, faults(answer.schema, answer.example)]).toEqual([
            method,
            path,
            status,
            true,
            null,
          ]);
        }
    expect(shown).toBeGreaterThan(80);
  });

  it('shows a feed whose signature verifies', () => {
    const { example } =
      document.paths['/api/v1/webhooks/endpoints/{id}/events']!['get']!.responses['200']!.content!['application/json']!;
    const { signingSecret: secret } = document.paths['/api/v1/webhooks/endpoints']!['post']!.responses['201']!.content![
      'application/json'
    ]!.example as { signingSecret: string };
    const [{ headers, body }] = (example as { data: [{ headers: Record<string, string>; body: string }] }).data;
    const now = Number(headers['webhook-timestamp']);
    expect(verifyStandard({ secret, headers, body, now })).toMatchObject({ id: headers['webhook-id'] });
  });

  it('has a page with everything that it asks for, and nothing else beside it', async () => {
    const get = (path: string) => api.send('GET', `/${path}`, undefined, { authorization: undefined });
    const page = await get('/docs');
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect(page.headers['content-security-policy']).toContain("default-src 'self'");
    expect(await get('/docs/')).toMatchObject({ status: 200, text: page.text });
    const asked = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
    const types: Record<string, string> = {
      css: 'text/css; charset=utf-8',
      js: 'text/javascript; charset=utf-8',
      png: 'image/png',
    };
    expect(asked).toHaveLength(4);
    for (const path of asked) {
      const { status, headers, text } = await get(path);
      expect([path, status, headers['content-type']]).toEqual([path, 200, types[path.split('.').at(-1)!]]);
      if (path.endsWith('start.js')) expect(text).toContain("'/docs-json'");
    }
    for (const path of ['/docs/constructor', '/docs/package.json', '/docs/..%2fpackage.json'])
      expect([path, await get(path)]).toMatchObject([path, { status: 404, body: { code: 'ROUTE_NOT_FOUND' } }]);
  });

  it('names every operation once', () => {
    const ids = operations().map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(70);
    expect(ids.filter((id) => !/^[a-z][A-Za-z]+$/.test(id))).toEqual([]);
  });
});
