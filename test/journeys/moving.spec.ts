import { EventStoreDbDouble } from '#event-store/eventstoredb/double/eventstoredb-double';
import { eventually, Receiver } from '#testing';
import type { Client } from '../harness/client';
import { gaps } from '../harness/ledger';
import { Program } from '../harness/program';
import { Standalone } from '../harness/standalone';
import { settled, upTo } from './main-job.world';

const HOOK = '/hook';
const LATER = '2031-01-01T00:00:00Z';

describe('a system that moves from PostgreSQL to EventStoreDB and back', () => {
  const env: Record<string, string | undefined> = { RETRY_SCALE: '0.01' };
  let double: EventStoreDbDouble;
  let receiver: Receiver;
  let standalone: Standalone;
  let client: Client;
  let account: string;
  let hook: string;

  beforeAll(async () => {
    [double, receiver, standalone] = await Promise.all([
      EventStoreDbDouble.start(),
      Receiver.open(),
      Standalone.start(env),
    ]);
    client = standalone.client();
    account = (await client.account('ann')).id;
    hook = (await client.endpoint(receiver.url(HOOK), { eventTypes: ['post.*'] })).id;
  }, 60_000);
  afterAll(async () => {
    await standalone.remove();
    await receiver.close();
    await double.stop();
  });

  const migrate = (...args: string[]): Program =>
    Program.start(['dist/apps/standalone/migrate-store/main.js', ...args], { DATA_DIR: standalone.dataDir });
  const bodies = () => receiver.bodies(HOOK);
  const about = (postId: string) =>
    bodies()
      .filter(({ data }) => data['postId'] === postId)
      .map(({ type }) => type)
      .sort();
  const PUBLISHED = ['post.destination_published', 'post.published', 'post.scheduled'];

  /** Everything that came, against the log as the api tells it: nothing lost, doubled, changed or out of order. */
  async function holdsTogether(): Promise<void> {
    await eventually(() => expect(gaps(receiver.on(HOOK))).toEqual([]));
    const ids = bodies().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const feed = await client.must<{ data: { body: string }[] }>(
      200,
      'GET',
      `/webhooks/endpoints/${hook}/events?limit=200`,
    );
    const sequence = (headers: Record<string, unknown>) => Number(headers['webhook-sequence']);
    const inOrder = receiver.on(HOOK).toSorted((one, other) => sequence(one.headers) - sequence(other.headers));
    expect(feed.data.map(({ body }) => body)).toEqual(inOrder.map(({ body }) => body));
    await eventually(
      async () => {
        const { data } = await client.must<{ data: { action: string }[] }>(200, 'GET', '/audit-log?limit=200');
        expect(data.at(-1)!.action).toBe('WorkspaceCreated');
        expect(await client.must(200, 'GET', '/audit-log/verify')).toMatchObject({ ok: true, entries: data.length });
      },
      { within: 20_000, every: 100 },
    );
  }

  /** What was begun before a move goes on after it, and new things happen as ever. */
  async function goesOn(name: string, waiting: string): Promise<void> {
    expect((await client.get(`/posts/${waiting}`)).body).toMatchObject({ status: 'scheduled' });
    await client.must(200, 'POST', `/posts/${waiting}/reschedule`, { scheduledAt: new Date().toISOString() });
    const fresh = await client.schedule(account, { id: `pst_${name}` });
    const again = await client.post(
      '/posts',
      { ...RACED, destinations: [{ accountId: account, platform: 'instagram' }] },
      { headers: { 'idempotency-key': 'across' } },
    );
    expect([again.status, again.body['id']]).toEqual([201, 'pst_across']);
    const path = `/${name}`;
    const { id } = await client.endpoint(receiver.url(path), { eventTypes: ['account.connected'], startFrom: 'now' });
    await client.account(name);
    await eventually(() => expect(receiver.bodies(path).map(({ data }) => data['username'])).toEqual([name]));
    await client.delete(`/webhooks/endpoints/${id}`);
    await Promise.all([settled(client, waiting, 'published'), settled(client, fresh.id, 'published')]);
    await eventually(() => expect(about(waiting)).toEqual([...PUBLISHED, 'post.rescheduled'].sort()));
    await eventually(() => expect(about(fresh.id)).toEqual(PUBLISHED));
    await holdsTogether();
  }

  const RACED = { id: 'pst_across', profileId: 'prof_test', content: { text: 'Once' }, scheduledAt: LATER };

  it('has a history: posts out, posts that wait', async () => {
    await Promise.all(upTo(10).map((n) => client.schedule(account, { id: `pst_before_${n}` })));
    for (const id of ['pst_waits_1', 'pst_waits_2']) await client.schedule(account, { id, scheduledAt: LATER });
    await client.must(
      201,
      'POST',
      '/posts',
      { ...RACED, destinations: [{ accountId: account, platform: 'instagram' }] },
      { headers: { 'idempotency-key': 'across' } },
    );
    for (const n of upTo(10)) await settled(client, `pst_before_${n}`, 'published');
    await eventually(() => expect(receiver.on(HOOK)).toHaveLength(33));
    await holdsTogether();
  });

  it('refuses to switch positions while anything runs', async () => {
    const program = migrate('--from', 'embedded', '--to', double.url, '--switch', 'embedded');
    await program.line(/Another Postledger \(process \d+\) uses .*: stop it/);
    expect((await program.ended).code).toBe(1);
  });

  it('is copied through a kill, compared and switched, and goes on', async () => {
    await standalone.program.stop();
    double.faults.slowMs = 10;
    const killed = migrate('--from', 'embedded', '--to', double.url, '--switch', 'embedded');
    const before = double.log.records.length;
    await eventually(() => expect(double.log.records.length).toBeGreaterThan(before + 15), { within: 30_000 });
    killed.kill();
    await killed.ended;
    double.faults.slowMs = 0;
    const program = migrate('--from', 'embedded', '--to', double.url, '--switch', 'embedded');
    const [, copied, present] = await program.line(/^(\d+) events copied, (\d+) were there$/);
    expect(Number(copied)).toBeGreaterThan(0);
    expect(Number(present)).toBeGreaterThan(10);
    const [, events] = await program.line(/^Equal: (\d+) events in \d+ streams, SHA-256 [0-9a-f]{64}$/);
    expect(Number(events)).toBe(Number(copied) + Number(present));
    await program.line(/^Switched \d+ places; start the apps on EventStoreDB/);
    expect((await program.ended).code).toBe(0);

    env['EVENT_STORE_URL'] = double.url;
    await standalone.start();
    await goesOn('there', 'pst_waits_1');
  }, 120_000);

  it('is switched once, however often it is asked', async () => {
    await standalone.program.stop();
    const program = migrate('--from', double.url, '--to', 'embedded', '--switch', 'embedded');
    await program.line(/^Switched /);
    expect((await program.ended).code).toBe(0);
    const again = migrate('--from', double.url, '--to', 'embedded', '--switch', 'embedded');
    await again.line(/^0 events copied/);
    await again.line(/^The database was switched already\.$/);
    expect((await again.ended).code).toBe(0);
  }, 60_000);

  it('goes on where it came from', async () => {
    delete env['EVENT_STORE_URL'];
    await standalone.start();
    await goesOn('back', 'pst_waits_2');
  }, 60_000);

  it('refuses a target that has gone on by itself', async () => {
    await standalone.program.stop();
    const program = migrate('--from', double.url, '--to', 'embedded');
    await program.line(/^The target holds more than the source: event \d+ of \S+ \(\S+\) is not in it\./);
    expect((await program.ended).code).toBe(1);
  });
});
