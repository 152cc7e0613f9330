import { eventually, testDatabase, type TestDatabase } from '#testing';
import { App, type Point } from '../harness/app';
import { Client, type Answer } from '../harness/client';

const KEY = 'key_of_the_killed_0123456789abcdef';

/** The statements of a request under an Idempotency-Key, in their order. */
const RESERVED = 'insert into api.idempotency';
const APPENDED = 'log.append(';
const KEY_MADE = 'insert into api.key';
const KEY_ENDED = 'update api.key set revoked_at';
const ANSWERED = 'update api.idempotency set answer';

/** What is asked, where the process that was asked dies, and what the log holds once it was asked again. */
const ACCOUNT = [
  'POST',
  '/accounts',
  { platform: 'instagram', username: 'n', profileId: 'p' },
  ['AccountConnected'],
] as const;
const ISSUE = ['POST', '/api-keys', { name: 'n', scopes: ['read'] }, ['ApiKeyIssued']] as const;
const WORKSPACE = ['POST', '/workspaces', { name: 'n' }, ['WorkspaceCreated', 'ApiKeyIssued']] as const;
const ENDPOINT = [
  'POST',
  '/webhooks/endpoints',
  { targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] },
  ['EndpointRegistered'],
] as const;
const REVOKE = ['DELETE', '/api-keys/key_to_end', undefined, ['ApiKeyRevoked']] as const;
const REFUSED = ['POST', '/accounts', { platform: 'Instagram' }, []] as const;

describe('an api that is killed between an effect and its answer', () => {
  let test: TestDatabase;
  let survivor: App;
  let client: Client;
  beforeAll(async () => {
    test = await testDatabase();
    survivor = await start();
    client = new Client(() => survivor.url, KEY);
  });
  afterAll(async () => {
    await survivor.program.stop();
    await test.drop();
  });

  async function start(dieAt?: Point): Promise<App> {
    const api = await App.start('api', { DATABASE_URL: test.url, POSTLEDGER_API_KEY: KEY }, dieAt);
    await api.ready();
    return api;
  }

  const events = async (): Promise<string[]> =>
    (await test.db.query<{ type: string }>('select type from log.event order by position')).map(({ type }) => type);

  /** The key `key_to_end`, which the survivor has in memory. */
  async function knownKey(): Promise<Client> {
    const { body } = await client.post<{ key: string }>('/api-keys', { id: 'key_to_end', name: 'n', scopes: ['read'] });
    const holder = new Client(() => survivor.url, body.key);
    expect((await holder.get('/posts/pst_none')).status).toBe(404);
    return holder;
  }

  it.each([
    ['with the key and nothing done', ['after', RESERVED], ACCOUNT, 201],
    ['after the append of what has a secret', ['after', APPENDED], ENDPOINT, 201],
    ['between the append and what the append is about', ['before', KEY_MADE], ISSUE, 201],
    ['between two appends', ['after', APPENDED], WORKSPACE, 201],
    ['after a key was ended and before the log says so', ['after', KEY_ENDED], REVOKE, 204],
    ['with the answer kept and not sent', ['after', ANSWERED], ENDPOINT, 201],
    ['with a refusal kept and not sent', ['after', ANSWERED], REFUSED, 400],
  ] as const)('%s: one effect, and one answer for whoever asks again', async (name, point, request, status) => {
    const [method, path, body, effect] = request;
    const toEnd = request === REVOKE ? await knownKey() : undefined;
    const before = await events();
    const victim = await start(point);
    await victim.arm();
    const send = (to: Client): Promise<Answer> =>
      to.call(method, path, body, { headers: { 'idempotency-key': `killed ${name}` } });
    await expect(send(new Client(() => victim.url, KEY))).rejects.toThrow('fetch failed');
    expect(await victim.program.ended).toMatchObject({ signal: 'SIGKILL' });

    // Well before the five seconds after which a process asks for a key again.
    if (toEnd)
      await eventually(async () => expect((await toEnd.get('/posts/pst_none')).status).toBe(401), { within: 4_000 });
    const again = send(client);
    // A dead holder is known by its lease, which ends after six seconds: here at once.
    await test.db.query('update api.idempotency set lease_until = now() where answer is null');
    const first = await again;
    const second = await send(client);
    expect([first.status, first.text]).toEqual([status, expect.any(String)]);
    expect({ status: second.status, text: second.text, etag: second.headers.get('etag') }).toEqual({
      status: first.status,
      text: first.text,
      etag: first.headers.get('etag'),
    });
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect((await events()).slice(before.length)).toEqual(effect);
    const { key = first.body['apiKey'] } = first.body as { key?: string };
    if (key !== undefined)
      expect((await new Client(() => survivor.url, String(key)).get('/posts/pst_none')).status).toBe(404);
  });
});
