import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engines } from '#platform';
import { endpointAggregate, type Endpoint } from '#webhooks';
import { bootApi, type BootedApi, type Send } from '../testing/boot-api';

const [FIRST, SECOND, THIRD] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte).toString('base64')) as [
  string,
  string,
  string,
];
const POST = {
  profileId: 'prof_1',
  content: { text: 'Mine' },
  destinations: [{ accountId: 'acct_1', platform: 'mastodon' }],
};
const ENDPOINT = { targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] };

describe('the secret key, rotated', () => {
  let before: BootedApi;
  let after: BootedApi;
  beforeEach(async () => (before = await bootApi({ secretKey: FIRST })));
  afterEach(async () => {
    await after.close();
    await before.close();
  });

  const restart = async (secretKey: string, previous?: string) =>
    (after = await bootApi({
      databaseUrl: before.running.engines.settings.databaseUrl!,
      secretKey,
      env: {
        POSTLEDGER_API_KEY: before.key,
        ...(previous !== undefined && { POSTLEDGER_SECRET_KEY_PREVIOUS: previous }),
      },
    }));
  const issue = async () => (await before.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).at('key');
  const canRead = async (key: string) => (await after.as(key)('GET', '/posts/pst_none')).status === 404;

  it('opens what any key before it has closed, though only the one before it was ever told', async () => {
    const [used, unused] = [await issue(), await issue()];
    const endpoint = await before.send('POST', '/webhooks/endpoints', ENDPOINT);
    const feed = () => after.send('GET', `/webhooks/endpoints/${endpoint.at('id')}/events`);
    for (const keys of [[SECOND, FIRST], [SECOND], [THIRD, SECOND]] as [string, string?][]) {
      await restart(...keys);
      expect(await canRead(used)).toBe(true);
      expect((await feed()).status).toBe(200);
      expect((await after.send('GET', '/posts/pst_none')).status).toBe(404);
      await after.close();
    }
    await restart(THIRD);
    expect(await canRead(unused)).toBe(true);
  });

  it('leaves no key of a subject that only the key before it opens, and none to whom was erased', async () => {
    const { keys, db } = before.running.engines;
    const { workspace } = before;
    const sealed = (await keys.key(workspace, 'usr_ada')).seal('usr_ada/name', '"Ada"');
    await keys.key(workspace, 'usr_gone');
    await keys.destroy(workspace, [{ subject: 'usr_gone', generation: 1 }], '2026-05-01T10:00:00.000Z');
    await restart(SECOND, FIRST);
    const stored = await db.query<{ subject: string; box: string | null }>(
      "select subject, box from subject.key where subject in ('usr_ada', 'usr_gone') order by 1",
    );
    expect(stored).toEqual([
      { subject: 'usr_ada', box: expect.any(String) },
      { subject: 'usr_gone', box: null },
    ]);
    expect(after.running.engines.secrets.isPresent(stored[0]!.box!)).toBe(true);
    const said = JSON.stringify({ name: sealed });
    expect((await after.running.engines.keys.open(workspace, said)).text).toBe('{"name":"Ada"}');
  });

  it('can be lost: what the guide says then leaves a system that works, without what was closed with it', async () => {
    const post = (send: Send, headers?: Record<string, string>) =>
      send('POST', '/posts', POST, { 'x-actor': 'usr_ada', ...headers });
    const account = { id: 'acct_1', platform: 'mastodon', username: 'ada', profileId: 'prof_1' };
    await before.send('POST', '/accounts', account);
    const { id } = (await post(before.send, { 'idempotency-key': 'kept' })).body as { id: string };
    await before.send('POST', '/webhooks/endpoints', { id: 'whe_1', ...ENDPOINT });
    const guide = readFileSync(join(__dirname, '../../../docs/guide/engines.md'), 'utf8');
    const [, said] = /lost key[^]*?```sql\n([^]*?)```/.exec(guide)!;
    await before.running.engines.db.script(said!);
    await restart(SECOND);
    expect((await after.send('GET', `/posts/${id}`)).body).toMatchObject({ content: { text: null }, erased: true });
    expect((await after.send('GET', '/accounts/acct_1')).body).toMatchObject({ username: null, erased: true });
    expect(await post(after.send, { 'idempotency-key': 'kept' })).toMatchObject({ status: 201, body: { id } });
    const again = await post(after.send);
    expect(again).toMatchObject({ status: 201, body: { content: { text: 'Mine' } } });
    expect((await after.send('GET', `/posts/${again.at('id')}`)).body).toEqual(again.body);
    await after.send('POST', '/webhooks/endpoints/whe_1/rotate-secret', { overlapHours: 0 });
    expect((await after.send('GET', '/webhooks/endpoints/whe_1/events')).status).toBe(200);
  });

  /** As it is when the process died before it could answer. */
  const forgetAnswer = (key: string) =>
    before.running.engines.db.query(
      "update api.idempotency set answer = null, lease_until = now() - interval '1 second' where key = $1",
      [key],
    );

  const secretInLog = async ({ commands, secrets }: Engines, id: string): Promise<string> => {
    const { state } = await commands.load(endpointAggregate, before.workspace, id);
    return secrets.decrypt((state as Extract<Endpoint, { status: 'registered' }>).config.secrets[0]!.box);
  };

  it('shows the secret that the log has to whoever repeats a request that died unanswered before', async () => {
    const register = (send: Send) =>
      send('POST', '/webhooks/endpoints', { id: 'whe_1', ...ENDPOINT }, { 'idempotency-key': 'register' });
    const rotate = (send: Send) =>
      send('POST', '/webhooks/endpoints/whe_1/rotate-secret', {}, { 'idempotency-key': 'rotate' });
    const registered = await register(before.send);
    const rotated = await rotate(before.send);
    for (const key of ['register', 'rotate']) await forgetAnswer(key);
    await restart(SECOND, FIRST);
    expect(await register(after.send)).toMatchObject({ status: 201, body: registered.body });
    expect(await rotate(after.send)).toMatchObject({ status: 200, body: rotated.body });
    expect(await secretInLog(after.running.engines, 'whe_1')).toBe(rotated.at('signingSecret'));
  });

  it('shows an API key that opens something to whoever repeats a request that died unanswered before', async () => {
    const calls = [
      (send: Send) => send('POST', '/api-keys', { name: 'n', scopes: ['read'] }, { 'idempotency-key': 'a key' }),
      (send: Send) => send('POST', '/workspaces', { name: 'n' }, { 'idempotency-key': 'a workspace' }),
    ];
    const answers = [];
    for (const call of calls) answers.push(await call(before.send));
    for (const key of ['a key', 'a workspace']) await forgetAnswer(key);
    await restart(SECOND, FIRST);
    for (const [n, call] of calls.entries()) {
      const again = await call(after.send);
      expect(again).toMatchObject({ status: 201, body: answers[n]!.body });
      const { key, apiKey } = again.body as { key?: string; apiKey?: string };
      expect(await canRead((key ?? apiKey)!)).toBe(true);
    }
  });
});
