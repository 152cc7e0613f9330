import { once } from 'node:events';
import { METHODS } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { bootApi, type BootedApi } from '../testing/boot-api';

describe('the conventions of the api', () => {
  let api: BootedApi;
  beforeAll(async () => (api = await bootApi()));
  afterAll(() => api.close());

  const account = { platform: 'instagram', username: 'n', profileId: 'prof_1' };
  const problem = (status: number, code: string) => ({
    status,
    body: { status, code, title: expect.any(String), detail: expect.any(String) },
  });

  it('answers 401 without a key or with a wrong one, before it looks at the body', async () => {
    for (const authorization of [undefined, 'Bearer nope', 'Basic abc', 'Bearer '])
      expect(await api.send('POST', '/posts', '{', { authorization })).toMatchObject({
        ...problem(401, 'UNAUTHORIZED'),
        headers: { 'www-authenticate': 'Bearer' },
      });
  });

  it('answers 404 for a path that is nothing, 405 with the methods for one that is something', async () => {
    expect(await api.send('GET', '/nothing')).toMatchObject(problem(404, 'ROUTE_NOT_FOUND'));
    expect(await api.send('GET', '//nowhere')).toMatchObject(problem(404, 'ROUTE_NOT_FOUND'));
    expect(await api.send('GET', '/posts/')).toMatchObject(problem(404, 'ROUTE_NOT_FOUND'));
    expect(await api.send('DELETE', '/posts')).toMatchObject({
      ...problem(405, 'METHOD_NOT_ALLOWED'),
      headers: { allow: expect.stringContaining('POST') },
    });
    const detail = async (method: string, path: string) =>
      ((await api.send(method, path)).body as { detail: string }).detail;
    expect(await detail('GET', '//nowhere')).toBe('There is nothing at this path; /docs lists those there are.');
    expect(await detail('GET', '/posts/')).toBe('There is nothing at this path; /api/v1/posts is one.');
    expect(await detail('GET', '//posts?limit=1')).toBe('There is nothing at this path; /api/v1/posts is one.');
    expect(await detail('DELETE', '/posts')).toBe('This path answers to GET, HEAD, POST.');
    for (const path of ['/posts/pst_1/cancel', '/posts/pst_1/cancel?reason=x'])
      expect(await api.send('PATCH', path, {})).toMatchObject({
        ...problem(405, 'METHOD_NOT_ALLOWED'),
        headers: { allow: 'POST' },
      });
    // Fastify refuses a body that it cannot read, and a QUERY that has none, before it says that no route has the method.
    for (const [method, body, headers] of [
      // Older parsers do not know it.
      ...(METHODS.includes('QUERY') ? [['QUERY', undefined, {}] as const] : []),
      ['PUT', 'a=b', { 'content-type': 'text/plain' }],
      ['PUT', '{', { 'content-type': 'application/json' }],
    ] as const) {
      expect(await api.send(method, '/posts', body, headers)).toMatchObject(problem(405, 'METHOD_NOT_ALLOWED'));
      expect(await api.send(method, '/nothing', body, headers)).toMatchObject(problem(404, 'ROUTE_NOT_FOUND'));
    }
  });

  it('says so of a path that cannot be read, and tells nothing else', async () => {
    expect(await api.send('GET', '/posts/%zz')).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', title: 'The request is not well-formed.' },
    });
    for (const path of ['/posts/%zz', `/posts/${'x'.repeat(5_000)}`])
      expect(await api.send('GET', path, undefined, { 'x-correlation-id': 'cor-1' })).toMatchObject({
        headers: { 'x-correlation-id': 'cor-1' },
        body: { correlationId: 'cor-1' },
      });
    expect(await api.send('GET', `/posts/pst_${'x'.repeat(4_000)}`)).toMatchObject({
      status: 404,
      body: { code: 'POST_NOT_FOUND' },
    });
    expect(await api.send('GET', `/posts/${'x'.repeat(5_000)}`)).toMatchObject({
      status: 414,
      body: { code: 'URI_TOO_LONG', title: 'A part of the path is too long.' },
    });
    expect(await api.send('GET', '/posts/pst_none%2F..%2Faccounts')).toMatchObject({
      status: 404,
      body: { code: 'POST_NOT_FOUND' },
    });
    expect(await api.send('HEAD', '/posts/pst_none')).toMatchObject({ status: 404, text: '' });
  });

  it('answers what is no request with a problem as well, and ends the connection', async () => {
    const { port } = new URL(api.running.url);
    const say = async (lines: string) => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(`${lines}\r\nhost: x\r\n\r\n`, 'latin1');
      const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
      return { head, body: JSON.parse(body) as unknown };
    };
    // As everywhere: the title of a problem is always the same.
    const malformed = [400, 'VALIDATION_FAILED', 'The request is not well-formed.'] as const;
    const tooLarge = [431, 'HEADERS_TOO_LARGE', 'The headers of the request are too large.'] as const;
    for (const [lines, [status, code, title]] of [
      ['GET /api/v1/posts HTTP/1.1\r\nnonsense', malformed],
      ['FOO /api/v1/posts HTTP/1.1', malformed],
      ['POST /api/v1/posts HTTP/1.1\r\ncontent-length: abc', malformed],
      [`GET /api/v1/posts HTTP/1.1\r\nx-long: ${'x'.repeat(20_000)}`, tooLarge],
    ] as const)
      expect(await say(lines)).toEqual({
        head: expect.stringMatching(new RegExp(`^HTTP/1.1 ${status} [^]*application/problem\\+json`)),
        body: expect.objectContaining({ status, code, type: `urn:postledger:problem:${code}`, title }),
      });
  });

  it('answers a request that names no host with a problem as well, and ignores an expectation that it does not know', async () => {
    const say = (lines: string) => {
      const socket = connect(Number(new URL(api.running.url).port), '127.0.0.1');
      socket.write(`${lines}\r\nconnection: close\r\n\r\n`);
      return text(socket);
    };
    expect(await say('GET /api/v1/posts HTTP/1.1')).toMatch(
      /^HTTP\/1.1 400 [^]*application\/problem\+json[^]*"code":"VALIDATION_FAILED"/,
    );
    expect(await say('GET /health/live HTTP/1.0')).toMatch(/^HTTP\/1.1 200 /);
    expect(await say('GET /health/live HTTP/1.1\r\nhost: x\r\nexpect: tea')).toMatch(/^HTTP\/1.1 200 /);
  });

  it('answers 503 while its tables are not there, and not with what is missing', async () => {
    const answer = await api.send('GET', '/posts');
    expect(answer).toMatchObject({ ...problem(503, 'ENGINE_UNAVAILABLE'), headers: { 'retry-after': '1' } });
    expect(answer.text).not.toMatch(/read\.posts|"relation|select/);
  });

  it('refuses malformed JSON, what is not an object, what is not UTF-8, and keys of prototypes', async () => {
    for (const body of [
      '{',
      '[]',
      '"text"',
      '5',
      'null',
      '{"platform":"instagram"',
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    ])
      expect(await api.send('POST', '/accounts', body)).toMatchObject({
        ...problem(400, 'VALIDATION_FAILED'),
        body: { errors: expect.any(Array) },
      });
    for (const body of ['null', '[]', '1']) {
      expect(await api.send('POST', '/posts/pst_none/cancel', body)).toMatchObject({ status: 400 });
      expect(await api.send('POST', '/campaigns/cmp_none/close', body)).toMatchObject({ status: 400 });
    }
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString'])
      expect(
        await api.send(
          'POST',
          '/accounts',
          `{"platform":"instagram","username":"n","profileId":"p","${name}":{"a":1}}`,
        ),
      ).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: `/${name}` }] },
      });
    for (const [path, body, pointer] of [
      ['/posts/pst_none/retry', '{"\\u005f_proto__":{"destinationIds":[]}}', '/__proto__'],
      ['/campaigns/cmp_none/close', '{"__proto__":{}}', '/__proto__'],
      ['/operations/op_none/fail', '{"error":{"code":"c","message":"m","__proto__":{}}}', '/error/__proto__'],
    ] as const)
      expect(await api.send('POST', path, body)).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
  });

  it('refuses a body that nests too deep, with an Idempotency-Key and an escape too', async () => {
    for (const [deep, headers] of [
      [`${'['.repeat(6_000)}${']'.repeat(6_000)}`, { 'idempotency-key': 'deep' }],
      [`${'['.repeat(6_000)}"\\u0041"${']'.repeat(6_000)}`, {}],
    ] as const)
      expect(await api.send('POST', '/campaigns', `{"name":"n","profileId":"p","x":${deep}}`, headers)).toMatchObject({
        ...problem(400, 'VALIDATION_FAILED'),
        body: { errors: [{ pointer: '' }] },
      });
  });

  it('refuses an unknown query parameter, of a command too', async () => {
    expect(await api.send('GET', '/posts?colour=red')).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ pointer: '/colour' }] },
    });
    expect(await api.send('POST', '/accounts?dry=1', account)).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/dry' }] },
    });
    expect(await api.send('GET', '/posts?limit=201')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/limit' }] },
    });
    expect(await api.send('GET', '/posts?limit=ten')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/limit' }] },
    });
    expect(await api.send('GET', '/posts?limit=1&limit=2')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/limit' }] },
    });
  });

  it('points to names that hold a slash or a tilde, wherever they are unknown', async () => {
    const escaped = { status: 400, body: { errors: [{ pointer: '/a~1b' }, { pointer: '/c~0d' }] } };
    const names = { 'a/b': 1, 'c~d': 2 };
    expect(await api.send('GET', '/posts?a/b=1&c~d=2')).toMatchObject(escaped);
    expect(await api.send('POST', '/posts?a/b=1&c~d=2', {})).toMatchObject(escaped);
    expect(await api.send('POST', '/campaigns/cmp_1/close', names)).toMatchObject(escaped);
    const ofBody = { 'content-length': String(JSON.stringify(names).length) };
    expect(await api.send('DELETE', '/api-keys/key_1', names, ofBody)).toMatchObject(escaped);
    expect(await api.send('GET', '/posts?a/b=%00')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/a~1b' }] },
    });
  });

  it('refuses NUL and half a surrogate pair, and says where', async () => {
    expect(
      await api.send('POST', '/accounts', '{"platform":"instagram","username":"a\\u0000b","profileId":"p"}'),
    ).toMatchObject({ status: 400, body: { errors: [{ pointer: '/username' }] } });
    expect(
      await api.send('POST', '/accounts', '{"platform":"instagram","username":"\\ud83d","profileId":"p"}'),
    ).toMatchObject({ status: 400, body: { errors: [{ pointer: '/username' }] } });
    expect(await api.send('POST', '/accounts', { ...account, username: '😀 שלום \u200b𝔘' })).toMatchObject({
      status: 201,
      body: { username: '😀 שלום \u200b𝔘' },
    });
    for (const [method, path, code] of [
      ['GET', '/posts/%00', 'POST_NOT_FOUND'],
      ['POST', '/posts/pst_%00/cancel', 'POST_NOT_FOUND'],
      ['POST', '/posts/pst_1/destinations/dst_%00/outcome', 'DESTINATION_NOT_FOUND'],
      ['GET', '/audit-log/entities/post/pst_%00', 'ENTITY_NOT_FOUND'],
      ['GET', '/regions/%00', 'REGION_NOT_FOUND'],
    ] as const)
      expect([path, await api.send(method, path)]).toMatchObject([path, { status: 404, body: { code } }]);
    // What comes into being with its first command has an id that is malformed.
    expect(await api.send('POST', '/assets/ast_%00/organize', { clientId: 'c', folder: 'f' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/id' }] },
    });
    const figures = { period: '2026-04', impressions: 1, engagements: 1, contentCount: 1 };
    expect(await api.send('POST', '/regions/%00/performance', figures)).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/region' }] },
    });
    expect(await api.send('GET', '/posts?profileId=%00')).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/profileId' }] },
    });
  });

  it('asks nothing of the media type of a body that is not there', async () => {
    const { body } = await api.send('POST', '/campaigns', { name: 'Spring', profileId: 'prof_1' });
    const close = `/campaigns/${(body as { id: string }).id}/close`;
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', ''])
      expect(await api.send('POST', close, '', { 'content-type': type })).toMatchObject({ status: 200 });
    expect(await api.send('DELETE', '/api-keys/key_none', '', { 'content-type': 'text/plain' })).toMatchObject(
      problem(404, 'API_KEY_NOT_FOUND'),
    );
  });

  it('takes a body that comes in no chunk at all for none, of whatever type it is said to be', async () => {
    const { body } = await api.send('POST', '/campaigns', { name: 'Autumn', profileId: 'prof_1' });
    const close = `/campaigns/${(body as { id: string }).id}/close`;
    const chunked = { 'transfer-encoding': 'chunked' };
    for (const type of [undefined, 'text/plain', 'application/json'])
      expect(await api.send('POST', close, '', { ...chunked, 'content-type': type })).toMatchObject({ status: 200 });
    expect(await api.send('POST', close, '{}', { ...chunked, 'content-type': 'text/plain' })).toMatchObject(
      problem(415, 'UNSUPPORTED_MEDIA_TYPE'),
    );
    expect(await api.send('PUT', '/posts', 'x', { ...chunked, 'content-type': 'text/plain' })).toMatchObject(
      problem(405, 'METHOD_NOT_ALLOWED'),
    );
  });

  it('refuses a body above 256 KiB with 413 and another media type with 415', async () => {
    const large = { ...account, username: 'x'.repeat(256 * 1024) };
    expect(await api.send('POST', '/accounts', large)).toMatchObject(problem(413, 'BODY_TOO_LARGE'));
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonx',
    ])
      expect(await api.send('POST', '/accounts', 'platform=instagram', { 'content-type': type })).toMatchObject(
        problem(415, 'UNSUPPORTED_MEDIA_TYPE'),
      );
    expect(await api.send('POST', '/accounts', account, { 'content-encoding': 'gzip' })).toMatchObject(
      problem(415, 'UNSUPPORTED_MEDIA_TYPE'),
    );
    for (const headers of [
      { 'content-type': 'application/json; charset=utf-8' },
      { 'content-type': 'Application/Problem+JSON' },
      { 'content-encoding': 'identity' },
    ])
      expect(await api.send('POST', '/accounts', account, headers)).toMatchObject({ status: 201 });
  });

  it('lets a client that sends all before it listens hear of a body that is too large', async () => {
    const socket = connect(Number(new URL(api.running.url).port), '127.0.0.1');
    const size = 32 * 1024 * 1024;
    socket.write(
      `POST /api/v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.key}\r\ncontent-type: application/json\r\ncontent-length: ${size}\r\n\r\n`,
    );
    await new Promise<void>((sent, failed) =>
      socket.once('error', failed).write(Buffer.alloc(size, ' '), (error) => (error ? failed(error) : sent())),
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 413 [^]*"code":"BODY_TOO_LARGE"/);
    socket.destroy();
  });

  it('echoes the correlation id, or takes that of the trace, or makes one', async () => {
    expect(await api.send('POST', '/accounts', account, { 'x-correlation-id': 'order-7' })).toMatchObject({
      headers: { 'x-correlation-id': 'order-7' },
    });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(await api.send('GET', '/nothing', undefined, { traceparent })).toMatchObject({
      status: 404,
      headers: { 'x-correlation-id': '0af7651916cd43dd8448eb211c80319c', traceparent },
    });
    for (const unusable of [undefined, traceparent.replace(/0af\w+/, '0'.repeat(32)), `ff${traceparent.slice(2)}`])
      expect(
        await api.send('GET', '/posts/pst_none', undefined, { ...(unusable && { traceparent: unusable }) }),
      ).toMatchObject({
        status: 404,
        headers: { 'x-correlation-id': expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/) },
      });
    expect(await api.send('GET', '/posts/pst_none', undefined, { 'x-actor': 'root' })).toMatchObject({ status: 400 });
  });

  it('keeps actor, correlation and trace on the event', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const answer = await api.send(
      'POST',
      '/accounts',
      { ...account, id: 'acct_meta' },
      { 'x-actor': 'usr_ada', 'x-correlation-id': 'order-8', traceparent },
    );
    expect(answer.status).toBe(201);
    const [event] = await api.running.engines.store.read(`account-${api.workspace}:acct_meta`);
    expect(event!.metadata).toMatchObject({
      workspace: api.workspace,
      actor: 'usr_ada',
      correlationId: 'order-8',
      causationId: null,
      traceparent,
    });
  });

  it('refuses a command on an older revision than it is at', async () => {
    await api.send('POST', '/accounts', { ...account, id: 'acct_rev' });
    expect(
      await api.send(
        'POST',
        '/accounts/acct_rev/credential',
        { expiresAt: '2031-01-01T00:00:00Z' },
        { 'if-match': '"0"' },
      ),
    ).toMatchObject({ status: 200, headers: { etag: '"1"' } });
    expect(
      await api.send('POST', '/accounts/acct_rev/disconnect', { reason: 'x' }, { 'if-match': '"0"' }),
    ).toMatchObject(problem(412, 'REVISION_STALE'));
    expect(
      await api.send('POST', '/accounts/acct_rev/disconnect', { reason: 'x' }, { 'if-match': '"not-ours"' }),
    ).toMatchObject({ status: 412 });
    for (const [tags, status] of [
      ['"0", "7"', 412],
      ['"01"', 412],
      ['0, 1', 400],
      ['"0" 1', 400],
      [',', 400],
      [`${'"0" , '.repeat(2_000)}`, 412],
      ['"0", W/"1",', 200],
    ] as const)
      expect(
        await api.send('POST', '/accounts/acct_rev/disconnect', { reason: 'x' }, { 'if-match': tags }),
      ).toMatchObject({ status });
  });

  it('takes any offset of RFC 3339 and refuses what is no time', async () => {
    const connect = (credentialExpiresAt: unknown) =>
      api.send('POST', '/accounts', { ...account, credentialExpiresAt });
    expect(await connect('2031-12-31T23:30:00-01:30')).toMatchObject({
      status: 201,
      body: { credentialExpiresAt: '2032-01-01T01:00:00.000Z' },
    });
    for (const wrong of [
      'tomorrow',
      '2031-02-30T00:00:00Z',
      '2031-01-01',
      '2031-01-01T00:00:00',
      '2031-01-01T24:00:00Z',
      '9999-12-31T23:59:59-12:00',
      5,
      {},
    ])
      expect(await connect(wrong)).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '/credentialExpiresAt' }] },
      });
  });

  it('answers 504 when the read model does not see the revision in time, and 404 at once for what is not there', async () => {
    await api.send('POST', '/accounts', { ...account, id: 'acct_wait' });
    expect(await api.send('GET', '/accounts/acct_wait?minRevision=7', undefined, { prefer: 'wait=0' })).toMatchObject(
      problem(504, 'READ_MODEL_BEHIND'),
    );
    expect(await api.send('GET', '/accounts/acct_none?minRevision=7')).toMatchObject(problem(404, 'ACCOUNT_NOT_FOUND'));
  });
});
