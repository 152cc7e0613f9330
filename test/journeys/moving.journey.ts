import { EventStoreDbDouble } from '#event-store/eventstoredb/double/eventstoredb-double';
import { KafkaBus } from '#messaging/kafka/kafka-bus';
import { TOPICS } from '#public-messages';
import { eventually, Receiver } from '#testing';
import type { Client } from '../harness/client';
import { gaps } from '../harness/ledger';
import { Program } from '../harness/program';
import { Standalone } from '../harness/standalone';
import { settled, upTo } from './main-job.world';

const HOOK = '/hook';
const LATER = '2031-01-01T00:00:00Z';

/** A system moves its log from PostgreSQL to EventStoreDB and back, on the given bus: `open` gives its address, or nothing for PostgreSQL's. */
export function moving(name: string, open: () => Promise<string | undefined>): void {
  describe(`a system on ${name} that moves from PostgreSQL to EventStoreDB and back`, () => stories(open));
}

function stories(open: () => Promise<string | undefined>): void {
  const env: Record<string, string | undefined> = { RETRY_SCALE: '0.01' };
  let bus: string | undefined;
  let double: EventStoreDbDouble;
  let receiver: Receiver;
  let standalone: Standalone;
  let client: Client;
  let account: string;
  let hook: string;

  beforeAll(async () => {
    [double, receiver, bus] = await Promise.all([EventStoreDbDouble.start(), Receiver.open(), open()]);
    if (bus !== undefined) env['BUS_URL'] = bus;
    standalone = await Standalone.start(env);
    client = standalone.client();
    account = (await client.account('ann')).id;
    hook = (await client.endpoint(receiver.url(HOOK), { eventTypes: ['post.*'] })).id;
  }, 120_000);
  afterAll(async () => {
    await standalone.remove();
    await receiver.close();
    await double.stop();
  });

  /** What --switch needs: the database, and the bus where it is another. */
  const switching = (): string[] => ['--switch', 'embedded', ...(bus === undefined ? [] : ['--bus', bus])];
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
    const sequence = (headers: Record<string, unknown>) => Number(headers['webhook-sequence']);
    await eventually(async () => {
      const feed = await client.must<{ data: { body: string }[] }>(
        200,
        'GET',
        `/webhooks/endpoints/${hook}/events?limit=200`,
      );
      const inOrder = receiver.on(HOOK).toSorted((one, other) => sequence(one.headers) - sequence(other.headers));
      expect(feed.data.map(({ body }) => body)).toEqual(inOrder.map(({ body }) => body));
    });
    await eventually(
      async () => {
        const { data } = await client.must<{ data: { action: string }[] }>(200, 'GET', '/audit-log?limit=200');
        expect(data.at(-1)!.action).toBe('WorkspaceCreated');
        expect(await client.must(200, 'GET', '/audit-log/verify')).toMatchObject({ ok: true, entries: data.length });
      },
      { every: 100 },
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

  it('is copied while it runs and takes commands, and what was copied is equal', async () => {
    const elsewhere = await EventStoreDbDouble.start();
    const program = migrate('--from', 'embedded', '--to', elsewhere.url);
    await program.line(/^Copying from /);
    for (const n of upTo(20)) await client.account(`busy_${n}`);
    await program.line(/^Equal: \d+ events in \d+ streams/);
    expect((await program.ended).code).toBe(0);
    await elsewhere.stop();
  });

  it('is not taken for copied when it was stopped', async () => {
    const elsewhere = await EventStoreDbDouble.start();
    elsewhere.faults.slowMs = 50;
    const program = migrate('--from', 'embedded', '--to', elsewhere.url);
    await program.line(/^Copying from /);
    program.signal('SIGTERM');
    await program.line(/^Stopped; the next run goes on from here\.$/);
    expect(await program.ended).toEqual({ code: 143, signal: null });
    expect(program.lines.join()).not.toContain('Equal');
    await elsewhere.stop();
  });

  it('refuses to switch positions while anything runs', async () => {
    const program = migrate('--from', 'embedded', '--to', double.url, ...switching());
    await program.line(/Another Postledger \(process \d+\) uses .*: stop it/);
    expect((await program.ended).code).toBe(1);
  });

  it('is copied through a kill, compared and switched, and goes on', async () => {
    await standalone.program.stop();
    double.faults.slowMs = 10;
    const killed = migrate('--from', 'embedded', '--to', double.url, ...switching());
    const before = double.log.records.length;
    await eventually(() => expect(double.log.records.length).toBeGreaterThan(before + 15), { within: 60_000 });
    killed.kill();
    await killed.ended;
    double.faults.slowMs = 0;
    const program = migrate('--from', 'embedded', '--to', double.url, ...switching());
    const [, copied, present] = await program.line(/^(\d+) events copied, (\d+) were there$/);
    expect(Number(copied)).toBeGreaterThan(0);
    expect(Number(present)).toBeGreaterThan(10);
    const [, events] = await program.line(/^Equal: (\d+) events in \d+ streams, SHA-256 [0-9a-f]{64}$/);
    expect(Number(events)).toBe(Number(copied) + Number(present));
    await program.line(/^Switched \d+ places; start the apps on EventStoreDB/);
    expect((await program.ended).code).toBe(0);

    // On the old log it would take commands that nobody ever hears of.
    const forgetful = Program.start(['dist/apps/standalone/main.js', '--empty'], {
      DATA_DIR: standalone.dataDir,
      ...env,
    });
    await forgetful.line(/^Postledger cannot start\. The log is not the one that this database was built from/);
    expect((await forgetful.ended).code).toBe(1);
    env['EVENT_STORE_URL'] = double.url;
    await standalone.start();
    await goesOn('there', 'pst_waits_1');
  }, 120_000);

  it('is not switched blindly where Kafka stands between, nor before delivery has read it', async () => {
    if (bus === undefined) return expect(env['BUS_URL']).toBeUndefined();
    await standalone.program.stop();
    const blind = migrate('--from', double.url, '--to', 'embedded', '--switch', 'embedded');
    await blind.line(/^Kafka is the bus of this system: --bus must say where/);
    expect((await blind.ended).code).toBe(1);
    const kafka = new KafkaBus(bus);
    const strange = {
      id: 'evt_late',
      type: 'post.published',
      topic: TOPICS.posts,
      key: 'pst_late',
      headers: {},
      value: '{}',
    };
    await kafka.publish([strange]);
    await kafka.close();
    const early = migrate('--from', double.url, '--to', 'embedded', ...switching());
    await early.line(/^Delivery has 1 messages? of the old log to read from Kafka/);
    expect((await early.ended).code).toBe(1);
    // Delivery puts the stranger aside, and then there is nothing to read.
    await standalone.start();
    await eventually(async () => {
      const { body } = await client.get<{ parts: Record<string, { lag?: number }> }>('/health/ready');
      expect(body.parts['intake']).toMatchObject({ lag: 0 });
    });
  }, 120_000);

  it('is switched once, however often it is asked', async () => {
    await standalone.program.stop();
    const program = migrate('--from', double.url, '--to', 'embedded', ...switching());
    await program.line(/^Switched /);
    expect((await program.ended).code).toBe(0);
    const again = migrate('--from', double.url, '--to', 'embedded', ...switching());
    await again.line(/^0 events copied/);
    await again.line(/^The database was switched already\.$/);
    expect((await again.ended).code).toBe(0);
  });

  it('goes on where it came from', async () => {
    delete env['EVENT_STORE_URL'];
    await standalone.start();
    await goesOn('back', 'pst_waits_2');
  });

  it('refuses a target that has gone on by itself', async () => {
    await standalone.program.stop();
    const program = migrate('--from', double.url, '--to', 'embedded');
    await program.line(/^The target holds more than the source: event \d+ of \S+ \(\S+\) is not in it\./);
    expect((await program.ended).code).toBe(1);
  });
}
