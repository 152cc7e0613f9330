import { createHash } from 'node:crypto';
import { SettingsError } from '#platform';
import { eventually } from '#testing';
import { bootApi, type BootedApi } from '../testing/boot-api';
import { ensureFirstWorkspace } from './first-workspace';
import { KeyStore } from './key-store';

describe('workspaces and keys', () => {
  let api: BootedApi;
  let other: BootedApi;
  beforeAll(async () => {
    api = await bootApi({ views: true });
    other = await bootApi({
      databaseUrl: api.running.engines.settings.databaseUrl!,
      env: { POSTLEDGER_API_KEY: api.key },
    });
  });
  afterAll(async () => {
    await other.close();
    await api.close();
  });

  const logged = async (id: string) =>
    (await api.running.engines.store.read(`api_key-${api.workspace}:${id}`)).map(({ type }) => type);

  it('makes a workspace with a key that may do all but make workspaces', async () => {
    const { status, body } = await api.send('POST', '/workspaces', { id: 'ws_acme', name: 'Acme' });
    expect({ status, body }).toEqual({ status: 201, body: { id: 'ws_acme', apiKey: expect.any(String) } });
    const { apiKey } = body as { apiKey: string };
    expect(await api.as(apiKey)('GET', '/api-keys')).toMatchObject({
      status: 200,
      body: { data: [{ scopes: ['read', 'commands', 'publish', 'webhooks', 'audit', 'admin'] }] },
    });
    expect(await api.as(apiKey)('POST', '/workspaces', { name: 'x' })).toMatchObject({
      status: 403,
      body: { code: 'SCOPE_MISSING' },
    });
    expect(await api.send('POST', '/workspaces', { id: 'ws_acme', name: 'Again' })).toMatchObject({
      status: 409,
      body: { code: 'WORKSPACE_ALREADY_EXISTS' },
    });
  });

  it('writes down who made the workspace in the workspace itself', async () => {
    await api.send('POST', '/workspaces', { id: 'ws_audited', name: 'Acme' }, { 'x-actor': 'usr_ada' });
    const [created] = await api.running.engines.store.read('workspace-ws_audited:ws_audited');
    expect(created).toMatchObject({
      type: 'WorkspaceCreated',
      metadata: { workspace: 'ws_audited', actor: 'usr_ada' },
    });
  });

  it('shows a key once, and lists it without its text', async () => {
    const issued = await api.send('POST', '/api-keys', {
      name: 'reporting',
      scopes: ['read', 'audit'],
      kind: 'service',
    });
    const { id, key } = issued.body as { id: string; key: string };
    expect(issued).toMatchObject({
      status: 201,
      body: { id: expect.stringMatching(/^key_/), key: expect.any(String) },
    });
    const list = await api.send('GET', '/api-keys');
    expect(list.at<{ id: string }[]>('data')).toContainEqual({
      id,
      name: 'reporting',
      scopes: ['read', 'audit'],
      kind: 'service',
      createdAt: expect.any(String),
      lastUsedAt: null,
      expiresAt: null,
    });
    expect(list.text).not.toContain(key);
    expect(await api.send('POST', '/api-keys', { id, name: 'again', scopes: ['read'] })).toMatchObject({
      status: 409,
      body: { code: 'API_KEY_ALREADY_EXISTS' },
    });
  });

  it('writes down until when a key opens anything', async () => {
    const expiresAt = '2035-01-01T00:00:00.000Z';
    const issued = await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'], expiresAt });
    const id = issued.at<string>('id');
    expect((await api.send('GET', `/audit-log?entityId=${id}`)).at('data', 0, 'data')).toMatchObject({ expiresAt });
    expect((await api.send('GET', `/audit-log/entities/api_key/${id}`)).at('state')).toMatchObject({ id, expiresAt });
  });

  it('lets a key do what its scopes say', async () => {
    const { key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as { key: string };
    expect(await api.as(key)('GET', '/posts')).toMatchObject({ status: 200 });
    expect(await api.as(key)('GET', '/audit-log')).toMatchObject({
      status: 403,
      body: { code: 'SCOPE_MISSING', scope: 'audit' },
    });
    expect(await api.as(key)('POST', '/campaigns', { name: 'c', profileId: 'p' })).toMatchObject({ status: 403 });
    expect(await api.send('POST', '/api-keys', { name: 'n', scopes: ['everything'] })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/scopes/0' }] },
    });
  });

  it('gives no more than it has', async () => {
    const { key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['admin'] })).body as { key: string };
    expect(await api.as(key)('POST', '/api-keys', { name: 'n', scopes: ['operator'] })).toMatchObject({ status: 403 });
    expect(await api.as(key)('POST', '/api-keys', { name: 'n', scopes: ['audit'] })).toMatchObject({ status: 201 });
  });

  it('ends a key at once, here and in another process that knew it', async () => {
    const { id, key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as {
      id: string;
      key: string;
    };
    expect(await other.as(key)('GET', '/posts')).toMatchObject({ status: 200 });
    expect(await api.as(key)('GET', '/posts')).toMatchObject({ status: 200 });
    expect(await api.send('DELETE', `/api-keys/${id}`)).toMatchObject({ status: 204, text: '' });
    expect(await api.as(key)('GET', '/posts')).toMatchObject({ status: 401 });
    // By what it hears: on its own it would ask again after five seconds.
    await eventually(async () => expect((await other.as(key)('GET', '/posts')).status).toBe(401), { within: 4_000 });
    expect(await api.send('DELETE', `/api-keys/${id}`)).toMatchObject({
      status: 404,
      body: { code: 'API_KEY_NOT_FOUND' },
    });
  });

  it('ends a key in its own workspace alone, though another has one of the same id', async () => {
    const other = await api.send('POST', '/workspaces', { name: 'Other' });
    const keys = [];
    for (const send of [api.send, api.as(other.at('apiKey'))])
      keys.push((await send('POST', '/api-keys', { id: 'key_same', name: 'n', scopes: ['read'] })).at('key'));
    expect((await api.send('DELETE', '/api-keys/key_same')).status).toBe(204);
    const status = async (key: string) => (await api.as(key)('GET', '/posts')).status;
    expect(await Promise.all(keys.map(status))).toEqual([401, 200]);
  });

  it('has told the others of the end of a key with the very commit, for whoever dies right after it', async () => {
    const { id, key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as {
      id: string;
      key: string;
    };
    expect((await other.as(key)('GET', '/posts')).status).toBe(200);
    const telling = jest.spyOn(api.running.engines.wake, 'send').mockImplementation(() => undefined);
    expect((await api.send('DELETE', `/api-keys/${id}`)).status).toBe(204);
    await eventually(async () => expect((await other.as(key)('GET', '/posts')).status).toBe(401), { within: 4_000 });
    telling.mockRestore();
  });

  it('leaves a key alone when it refuses to end it, and ends it in key and log alike', async () => {
    const { id, key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as {
      id: string;
      key: string;
    };
    const end = (tag: string) => api.send('DELETE', `/api-keys/${id}`, undefined, { 'if-match': tag });
    expect(await end('"7"')).toMatchObject({ status: 412, body: { code: 'REVISION_STALE' } });
    expect((await api.as(key)('GET', '/posts')).status).toBe(200);
    expect(await logged(id)).toEqual(['ApiKeyIssued']);
    expect(await end('"7", "0"')).toMatchObject({ status: 204 });
    expect((await api.as(key)('GET', '/posts')).status).toBe(401);
    expect(await logged(id)).toEqual(['ApiKeyIssued', 'ApiKeyRevoked']);
    expect(await end('"1"')).toMatchObject({ status: 404, body: { code: 'API_KEY_NOT_FOUND' } });
  });

  it('refuses under an Idempotency-Key without effect, also when the process died before it could say so', async () => {
    const { id, key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as {
      id: string;
      key: string;
    };
    const end = () =>
      api.send('DELETE', `/api-keys/${id}`, undefined, { 'if-match': '"7"', 'idempotency-key': `end ${id}` });
    expect((await end()).status).toBe(412);
    await api.running.engines.db.query(
      "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = $1",
      [`end ${id}`],
    );
    expect((await end()).status).toBe(412);
    expect((await api.as(key)('GET', '/posts')).status).toBe(200);
  });

  it('says again under an Idempotency-Key that it ended a key, when the process died before it could say so', async () => {
    const { id } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as { id: string };
    const end = (name: string) => api.send('DELETE', `/api-keys/${id}`, undefined, { 'idempotency-key': name });
    expect((await end(`lost ${id}`)).status).toBe(204);
    await api.running.engines.db.query(
      "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = $1",
      [`lost ${id}`],
    );
    expect((await end(`lost ${id}`)).status).toBe(204);
    expect((await end(`another ${id}`)).status).toBe(404);
    expect(await logged(id)).toEqual(['ApiKeyIssued', 'ApiKeyRevoked']);
  });

  it('ends a key within five seconds even in a process that hears nothing', async () => {
    const [store, real] = [other.running.app.get(KeyStore), performance.now.bind(performance)];
    const revokedInSilence = async (): Promise<string> => {
      const { id, key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as {
        id: string;
        key: string;
      };
      expect((await other.as(key)('GET', '/posts/pst_none')).status).toBe(404);
      // Without the word that tells everybody.
      await api.running.engines.db.query('update api.key set revoked_at = now() where id = $1', [id]);
      // Unless the news of its making came only now.
      expect(store.cached(key)).toMatchObject({ keyId: id });
      return key;
    };
    const key = await eventually(revokedInSilence);
    const later = jest.spyOn(performance, 'now').mockImplementation(() => real() + 5_001);
    expect(store.cached(key)).toBeUndefined();
    expect((await other.as(key)('GET', '/posts/pst_none')).status).toBe(401);
    later.mockRestore();
  });

  it('says when a key was last used, whichever process it was', async () => {
    const { id, key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as {
      id: string;
      key: string;
    };
    const began = Date.now();
    await other.as(key)('GET', '/posts/pst_none');
    // Written down every fifteen seconds, and when a process ends: no request pays for it.
    await other.running.app.get(KeyStore).flush();
    const listed = (await api.send('GET', '/api-keys?limit=200')).at<{ id: string; lastUsedAt: string | null }[]>(
      'data',
    );
    const { lastUsedAt } = listed.find((each) => each.id === id)!;
    expect(Date.parse(lastUsedAt ?? '')).toBeGreaterThanOrEqual(began - 1_000);
    expect(Date.parse(lastUsedAt ?? '')).toBeLessThanOrEqual(Date.now() + 1_000);
  });

  it('keeps nothing of a key that opens anything: a hash under the secret key, not of the text alone', async () => {
    const { id, key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as {
      id: string;
      key: string;
    };
    const [{ hash, row }] = (await api.running.engines.db.query(
      'select hash, row_to_json(k)::text as row from api.key k where id = $1',
      [id],
    )) as [{ hash: string; row: string }];
    expect(row).not.toContain(key);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(hash).not.toBe(createHash('sha256').update(key).digest(encoding));
    expect(await api.as(hash)('GET', '/posts')).toMatchObject({ status: 401 });
  });

  it('ends a key by itself when its time has come', async () => {
    const { key } = (
      await api.send('POST', '/api-keys', {
        name: 'n',
        scopes: ['read'],
        expiresAt: new Date(Date.now() + 4_000).toISOString(),
      })
    ).body as { key: string };
    expect((await api.as(key)('GET', '/posts')).status).toBe(200);
    await eventually(async () => expect((await api.as(key)('GET', '/posts')).status).toBe(401));
  });

  it('pages through the keys, newest first', async () => {
    const first = await api.send('GET', '/api-keys?limit=2');
    const second = await api.send('GET', `/api-keys?limit=200&cursor=${first.at('nextCursor')}`);
    const all = [
      ...first.at<{ id: string; createdAt: string }[]>('data'),
      ...second.at<{ id: string; createdAt: string }[]>('data'),
    ];
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(all.map(({ createdAt }) => createdAt)).toEqual(
      all
        .map(({ createdAt }) => createdAt)
        .sort()
        .reverse(),
    );
    expect(second.at('nextCursor')).toBe(null);
    const ended = (
      await api.running.engines.db.query<{ id: string }>('select id from api.key where revoked_at is not null')
    ).map(({ id }) => id);
    expect(ended).not.toEqual([]);
    for (const { id } of all) expect(ended).not.toContain(id);
    for (const at of ['nonsense', `2026-01-01T00:00:00.${'0'.repeat(200)}Z`, '2026-01-01T00:00:00.000+23:59'])
      expect(
        await api.send('GET', `/api-keys?cursor=${Buffer.from(`${at} key_1`).toString('base64url')}`),
      ).toMatchObject({ status: 400, body: { errors: [{ pointer: '/cursor' }] } });
  });

  it('pages through keys of one moment, each once', async () => {
    const { id, apiKey } = (await api.send('POST', '/workspaces', { name: 'n' })).body as {
      id: string;
      apiKey: string;
    };
    const get = api.as(apiKey);
    for (let n = 0; n < 3; n++) await get('POST', '/api-keys', { name: 'n', scopes: ['read'] });
    await api.running.engines.db.query("update api.key set created_at = '2026-05-01T10:00:00Z' where workspace = $1", [
      id,
    ]);
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await get('GET', `/api-keys?limit=1${cursor && `&cursor=${cursor}`}`);
      seen.push(page.at('data', 0, 'id'));
      cursor = page.at<string | null>('nextCursor');
    }
    expect(seen).toHaveLength(4);
    expect(new Set(seen).size).toBe(4);
  });

  it('takes the key of the environment, and another one at the next start', async () => {
    const { engines } = api.running;
    const heard = jest.fn();
    const deafen = engines.wake.on('keys_changed', heard);
    expect(await ensureFirstWorkspace(engines, { apiKey: 'second-key-of-the-environment' })).toEqual({
      workspaceId: api.workspace,
    });
    // All processes are told: what they know of the key of before would open for a while still.
    await eventually(() => expect(heard).toHaveBeenCalled());
    deafen();
    await eventually(async () =>
      expect((await api.as('second-key-of-the-environment')('GET', '/posts')).status).toBe(200),
    );
    await eventually(async () => expect((await api.send('GET', '/posts')).status).toBe(401));
    await ensureFirstWorkspace(engines, { apiKey: api.key });
  });

  it('gives the key of the environment the scopes that a newer release has', async () => {
    const { engines } = api.running;
    await engines.db.query("update api.key set scopes = '{read}' where id = 'key_environment'");
    engines.wake.send('keys_changed');
    await eventually(async () => expect((await api.send('GET', '/api-keys')).status).toBe(403));
    await ensureFirstWorkspace(engines, { apiKey: api.key });
    await eventually(async () => expect((await api.send('GET', '/api-keys')).status).toBe(200));
  });

  it('refuses, in a sentence, a key of the environment that opens another workspace', async () => {
    const other = (await api.send('POST', '/workspaces', { name: 'another' })).body as { apiKey: string };
    const started = ensureFirstWorkspace(api.running.engines, { apiKey: other.apiKey });
    const refusal = 'POSTLEDGER_API_KEY is the text of a key of another workspace: give it one of its own.';
    await expect(started).rejects.toEqual(new SettingsError(refusal));
    await expect(started).rejects.toBeInstanceOf(SettingsError);
  });

  it('issues the key of the environment anew when it was ended and the next start names it still', async () => {
    const { key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['admin'] })).body as { key: string };
    const end = () => api.as(key)('DELETE', '/api-keys/key_environment');
    for (const ended of [1, 2]) {
      expect(await end()).toMatchObject({ status: 204 });
      expect((await api.send('GET', '/posts')).status).toBe(401);
      expect((await end()).status).toBe(404);
      await ensureFirstWorkspace(api.running.engines, { apiKey: api.key });
      await eventually(async () => expect((await api.send('GET', '/posts')).status).toBe(200));
      const anew = Array.from({ length: ended }, () => ['ApiKeyRevoked', 'ApiKeyIssued']);
      expect(await logged('key_environment')).toEqual(['ApiKeyIssued', ...anew.flat()]);
    }
  });
});

/** What waits for a lock in the database. */
const WAITING = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

describe('the first start', () => {
  it('makes one key when none is given, and only that start shows it', async () => {
    const fresh = await bootApi({ env: { POSTLEDGER_API_KEY: 'unused' } });
    const { engines } = fresh.running;
    await engines.db.query('delete from api.key');
    const first = await ensureFirstWorkspace(engines);
    expect(first).toEqual({ workspaceId: fresh.workspace, apiKey: expect.stringMatching(/^plk_/) });
    expect(await ensureFirstWorkspace(engines)).toEqual({ workspaceId: fresh.workspace });
    await fresh.close();
  });

  it('is one for processes that start at once: one workspace, and one key that one of them shows', async () => {
    const fresh = await bootApi({ env: { POSTLEDGER_API_KEY: 'unused' } });
    const { engines } = fresh.running;
    await engines.db.script('delete from api.key; delete from api.setting');
    const begun: ReturnType<typeof ensureFirstWorkspace>[] = [];
    await engines.db.tx(async (sql) => {
      await sql.query('lock table api.setting in exclusive mode');
      for (let n = 0; n < 3; n++) begun.push(ensureFirstWorkspace(engines));
      await eventually(async () => expect(await engines.db.query(WAITING)).toHaveLength(3));
    });
    const starts = await Promise.all(begun);
    expect(new Set(starts.map(({ workspaceId }) => workspaceId)).size).toBe(1);
    expect(starts.filter(({ apiKey }) => apiKey !== undefined)).toHaveLength(1);
    expect(await engines.db.query('select id from api.key')).toHaveLength(1);
    const named = [1, 2, 3].map(() => ensureFirstWorkspace(engines, { apiKey: 'one-for-all' }));
    for (const { workspaceId } of await Promise.all(named)) expect(workspaceId).toBe(starts[0]!.workspaceId);
    await fresh.close();
  });

  it('makes no key that nobody could keep', async () => {
    const fresh = await bootApi({ env: { POSTLEDGER_API_KEY: 'unused' } });
    const { engines } = fresh.running;
    await engines.db.query('delete from api.key');
    const full = () => {
      throw new Error('no space left');
    };
    await expect(ensureFirstWorkspace(engines, { keep: full })).rejects.toThrow('no space left');
    const kept: string[] = [];
    const { apiKey } = await ensureFirstWorkspace(engines, { keep: (text) => kept.push(text) });
    expect(apiKey).toMatch(/^plk_/);
    expect(kept).toEqual([apiKey]);
    await fresh.close();
  });

  it('finds the id of the key of the environment free, though an administrator wanted it', async () => {
    const fresh = await bootApi({ env: { POSTLEDGER_API_KEY: 'unused' } });
    const { engines } = fresh.running;
    // A first start that names no key.
    await engines.db.query("delete from api.setting where name = 'first_workspace'");
    const { workspaceId, apiKey: first } = (await ensureFirstWorkspace(engines)) as Record<string, string>;
    const wanted = { id: 'key_environment', name: 'n', scopes: ['read'], kind: 'client' };
    expect(await fresh.as(first!)('POST', '/api-keys', wanted)).toMatchObject({
      status: 409,
      body: { code: 'API_KEY_ALREADY_EXISTS' },
    });
    const apiKey = 'key-of-the-environment';
    expect(await ensureFirstWorkspace(engines, { apiKey })).toEqual({ workspaceId });
    await eventually(async () => expect((await fresh.as(apiKey)('GET', '/api-keys')).status).toBe(200));
    await fresh.close();
  });

  it('takes for the one of the environment the text of a key that has ended, too', async () => {
    const fresh = await bootApi({ env: { POSTLEDGER_API_KEY: 'unused' } });
    const { id, key } = (await fresh.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as {
      id: string;
      key: string;
    };
    expect((await fresh.send('DELETE', `/api-keys/${id}`)).status).toBe(204);
    await ensureFirstWorkspace(fresh.running.engines, { apiKey: key });
    await eventually(async () => expect((await fresh.as(key)('GET', '/api-keys')).status).toBe(200));
    await fresh.close();
  });

  it('takes the text of a key that there is for the one of the environment: one text opens one key', async () => {
    const fresh = await bootApi({ env: { POSTLEDGER_API_KEY: 'unused' } });
    const { engines } = fresh.running;
    await engines.db.query('delete from api.key');
    const { apiKey } = (await ensureFirstWorkspace(engines)) as { apiKey: string };
    const listed = async (key: string) => {
      const { status, body } = await fresh.as(key)('GET', '/api-keys');
      return status === 200 ? (body as { data: { name: string }[] }).data.map(({ name }) => name) : status;
    };
    expect(await listed(apiKey)).toEqual(['first']);
    for (const start of [1, 2]) {
      await ensureFirstWorkspace(engines, { apiKey });
      await eventually(async () => expect([start, await listed(apiKey)]).toEqual([start, ['POSTLEDGER_API_KEY']]));
    }
    const logged = await engines.db.query<{ type: string }>(
      "select type from log.event where stream like 'api\\_key-%' order by position",
    );
    expect(logged.map(({ type }) => type)).toEqual(['ApiKeyIssued', 'ApiKeyIssued', 'ApiKeyRevoked']);
    // It is the setting's alone: with another text the old one opens nothing, whatever key it once was.
    await ensureFirstWorkspace(engines, { apiKey: 'another-key-of-the-environment' });
    await eventually(async () => expect(await listed(apiKey)).toBe(401));
    const theirs = (await fresh.as('another-key-of-the-environment')('POST', '/workspaces', { name: 'n' })).at(
      'apiKey',
    );
    await expect(ensureFirstWorkspace(engines, { apiKey: theirs })).rejects.toThrow('of another workspace');
    expect((await fresh.as(theirs)('GET', '/api-keys')).status).toBe(200);
    await fresh.close();
  });
});
