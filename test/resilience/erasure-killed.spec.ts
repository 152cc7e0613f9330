import { eventually, testDatabase, type TestDatabase } from '#testing';
import { App } from '../harness/app';
import { Client } from '../harness/client';
import { tablesWith } from '../harness/tables-with';

type Thing = Record<string, unknown>;
interface Page {
  readonly data: readonly Thing[];
}

const KEY = 'key_of_the_erased_0123456789abcdef';
const TEXT = 'Bandicoots at dusk';
const REASON = 'Too many bandicoots';
const ADA = { headers: { 'x-actor': 'usr_ada' } };
const ONCE = { headers: { 'idempotency-key': 'erase ada once' } };
/** The log has `SubjectErased` by then, and the keys are as they were. */
const KEYS_DESTROYED = 'update subject.key k set box = null';

describe('an api that is killed between the log and the keys of an erasure', () => {
  let test: TestDatabase;
  let apps: { victim: App; survivor: App; projector: App };
  let client: Client;

  beforeAll(async () => {
    test = await testDatabase({ max: 4 });
    const env = { DATABASE_URL: test.url, POSTLEDGER_API_KEY: KEY };
    const [survivor, victim, projector] = [
      await App.start('api', env),
      await App.start('api', env, ['before', KEYS_DESTROYED]),
      await App.start('projector', env),
    ];
    apps = { survivor, victim, projector };
    await Promise.all(Object.values(apps).map((app) => app.ready()));
    client = new Client(() => survivor.url, KEY);
    const { id: accountId } = await client.account();
    for (const id of ['pst_kept', 'pst_dropped'])
      await client.schedule(accountId, { id, content: { text: TEXT }, scheduledAt: '2031-01-01T00:00:00Z' }, ADA);
    await client.must(200, 'POST', '/posts/pst_dropped/cancel', { reason: REASON }, ADA);
  });
  afterAll(async () => {
    await Promise.all(Object.values(apps).map(({ program }) => program.stop()));
    await test.drop();
  });

  const get = (path: string): Promise<Thing> => client.must(200, 'GET', path);
  const page = async (path: string): Promise<readonly Thing[]> => (await client.must<Page>(200, 'GET', path)).data;
  const exported = async (): Promise<string> => (await client.get('/audit-log/export')).text;

  it('is made good by the projector: what was erased reads null through every other api', async () => {
    // The other api reads it first, and so has the key in memory.
    expect(await get('/posts/pst_kept')).toMatchObject({ content: { text: TEXT } });
    expect(await page('/audit-log?action=PostCancelled')).toMatchObject([{ data: { reason: REASON } }]);
    await apps.victim.arm();
    const dying = new Client(() => apps.victim.url, KEY);
    await expect(dying.post('/subjects/usr_ada/erase', {}, ONCE)).rejects.toThrow('fetch failed');
    expect(await apps.victim.program.ended).toMatchObject({ signal: 'SIGKILL' });

    const [erased] = await test.db.query<{ at: string }>(
      "select metadata ->> 'occurredAt' as at from log.event where type = 'SubjectErased'",
    );
    await eventually(async () =>
      expect(
        await test.db.query("select box, erased_at from subject.key where subject = 'usr_ada' order by generation"),
      ).toEqual([{ box: null, erased_at: erased!.at }]),
    );
    // Well before the thirty seconds after which a process asks for a subject's key again.
    await eventually(async () => expect(await get('/posts/pst_kept')).toMatchObject({ content: { text: null } }), {
      within: 15_000,
    });
  });

  it('leaves nothing of it anywhere', async () => {
    expect(await get('/posts/pst_kept')).toMatchObject({ content: { text: null }, erased: true });
    expect(await page('/posts')).toMatchObject([
      { id: 'pst_dropped', content: { text: null }, erased: true },
      { id: 'pst_kept', content: { text: null }, erased: true },
    ]);
    const [entry] = await page('/audit-log?action=PostCancelled');
    expect(entry).toMatchObject({ actor: 'usr_ada', data: { reason: null }, erased: true });
    expect(await get('/audit-log/entities/post/pst_kept')).toMatchObject({
      state: { content: { text: null }, erased: true },
    });
    expect(await exported()).not.toMatch(/bandicoot/i);
    expect(await get('/audit-log/verify')).toMatchObject({ ok: true });
    expect(await tablesWith(test.db, 'bandicoot')).toEqual([]);
  });

  it('is answered right when it is asked for again, with its key and without', async () => {
    const first = client.post('/subjects/usr_ada/erase', {}, ONCE);
    // The dead holder is known by its lease, which ends after six seconds: here at once.
    await test.db.query('update api.idempotency set lease_until = now() where answer is null');
    // The dead one wrote it, so that the view of this one need not have it yet.
    const entry = await eventually(async () => (await page('/audit-log?action=SubjectErased'))[0] ?? false);
    const answer = { id: 'usr_ada', erased: true, erasedAt: entry['at'], events: 3, sent: [], nextCursor: null };
    expect(await first).toMatchObject({ status: 200, body: answer });
    const again = await client.post('/subjects/usr_ada/erase', {}, ONCE);
    expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([200, answer, 'true']);
    expect(await client.must(200, 'POST', '/subjects/usr_ada/erase')).toEqual(answer);
    expect(await page('/audit-log?action=SubjectErased')).toEqual([entry]);
  });

  it('lets them write again, and what is new be erased by one api for another', async () => {
    const [account] = await page('/accounts');
    await client.schedule(String(account!['id']), { id: 'pst_new', content: { text: TEXT } }, ADA);
    expect(await get('/posts/pst_new')).toMatchObject({ content: { text: TEXT } });
    expect(await get('/posts/pst_kept')).toMatchObject({ content: { text: null } });
    expect(await client.must(200, 'POST', '/subjects/usr_ada/erase', {}, ONCE)).toMatchObject({ events: 3 });
    expect(await get('/posts/pst_new')).toMatchObject({ content: { text: TEXT } });
    expect(await client.must(200, 'POST', '/subjects/usr_ada/erase')).toMatchObject({ erased: true });
    expect(await get('/posts/pst_new')).toMatchObject({ content: { text: null }, erased: true });
  });
});
