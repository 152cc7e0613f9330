import { pino } from 'pino';
import { Registry } from 'prom-client';
import { accountAggregate } from '#accounts';
import { CommandHandler, EventStoreUnavailableError, streamName, type CommandContext } from '#event-store';
import { PostgresEventStore } from '#event-store/postgres/postgres-event-store';
import { HOUR, instant, MINUTE, plus, uuidv7, type Instant } from '#kernel';
import { Health, Wake } from '#platform';
import { campaignAggregate, postAggregate, PUBLISH_RETRY_DELAYS_MS, type CampaignCommand } from '#publishing';
import { readModels } from '#read-models';
import { mediaAggregate } from '#studio';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { rebuildable } from './projections/all-projections';
import { Projector } from './projector';
import { dropRetired, rebuild } from './rebuild/rebuild';

const WORKSPACE = 'ws_1';
const PAGE = { limit: 50 };

describe('the projector', () => {
  let test: TestDatabase;
  let projector: Projector;
  let store: PostgresEventStore;
  let commands: CommandHandler;
  let now: Instant = instant('2026-05-01T10:00:00.000Z');
  const woken: string[] = [];
  const logged: string[] = [];

  beforeAll(async () => {
    test = await testDatabase();
    store = new PostgresEventStore(test.db);
    commands = new CommandHandler(store);
    projector = projectorOf();
    projector.start();
  });
  const projectorOf = () =>
    new Projector({
      name: 'test',
      db: test.db,
      store,
      commands,
      clock: () => now,
      log: pino({ level: 'warn' }, { write: (line) => void logged.push(line) }),
      metrics: new Registry(),
      health: new Health(),
      wake: new Wake(test.db, () => undefined),
      keys: { destroyed: () => undefined },
      outbox: { handOver: () => woken.push('bus') },
    });
  afterAll(async () => {
    await projector.stop();
    await store.close();
    await test.drop();
  });

  const context = (): CommandContext => ({
    workspace: WORKSPACE,
    actor: 'usr_1',
    correlationId: 'c1',
    causationId: null,
    commandId: uuidv7(),
    at: now,
  });
  const schedule = (postId: string, scheduledAt: Instant | null, campaignId: string | null = null) =>
    commands.handle(
      postAggregate,
      postId,
      {
        type: 'SchedulePost',
        at: now,
        actor: 'usr_1',
        postId,
        profileId: 'prof_1',
        content: { text: 'Hello', mediaIds: [] },
        destinations: [{ id: `dst_${postId}`, accountId: 'acct_1', platform: 'instagram' }],
        scheduledAt,
        campaignId,
      },
      context(),
    );

  it('shows a post, chains its audit entries, says it on the bus and makes it due', async () => {
    const models = readModels(test.db);
    await schedule('pst_1', null);
    await eventually(async () => expect((await models.posts.get(WORKSPACE, 'pst_1'))?.view.status).toBe('publishing'));
    const audit = await eventually(async () => {
      const { data } = await models.audit.list(WORKSPACE, { entityId: 'pst_1' }, PAGE);
      expect(data.map(({ action }) => action)).toEqual(['DestinationDue', 'PostPublishingStarted', 'PostScheduled']);
      return data;
    });
    expect(audit[2]).toMatchObject({ revisionBefore: null, revision: 0, previousHash: null, actor: 'usr_1' });
    expect(audit[1]).toMatchObject({
      actor: 'system',
      causationId: audit[2]!.id,
      correlationId: 'c1',
      previousHash: audit[2]!.hash,
    });
    await eventually(async () => {
      const messages = await test.db.query<{ type: string }>('select type from bus.message order by position');
      expect(messages.map(({ type }) => type)).toEqual(['post.scheduled', 'post.destination_due']);
      expect(woken).toContain('bus');
    });
  });

  it('waits for the time of a post, and of a retry', async () => {
    const models = readModels(test.db);
    await schedule('pst_2', instant('2026-05-01T11:00:00.000Z'));
    await eventually(async () => expect((await models.posts.get(WORKSPACE, 'pst_2'))?.view.status).toBe('scheduled'));
    now = instant('2026-05-01T11:00:00.000Z');
    await eventually(async () => expect((await models.posts.get(WORKSPACE, 'pst_2'))?.view.status).toBe('publishing'));
    await commands.handle(
      postAggregate,
      'pst_2',
      {
        type: 'ReportOutcome',
        at: now,
        actor: 'usr_1',
        destinationId: 'dst_pst_2',
        attempt: 1,
        outcome: { ok: false, error: 'Busy', errorCode: 'busy', retryable: true },
        retryDelaysMs: PUBLISH_RETRY_DELAYS_MS,
      },
      context(),
    );
    await eventually(async () =>
      expect(await test.db.query("select 1 from projector.timer where kind = 'destination_due'")).toHaveLength(1),
    );
    now = instant('2026-05-01T11:01:00.000Z');
    await eventually(async () =>
      expect((await models.posts.get(WORKSPACE, 'pst_2'))?.state.destinations[0]?.attempts).toBe(2),
    );
    await eventually(async () => expect(await test.db.query('select 1 from projector.timer')).toHaveLength(0));
  });

  it('says that timers wait for an engine, and not of which of them each time', async () => {
    const models = readModels(test.db);
    const ids = Array.from({ length: 20 }, (_, n) => `pst_held_${n}`);
    const due = plus(now, HOUR);
    for (const id of ids) await schedule(id, due);
    await eventually(async () => expect(await test.db.query('select 1 from projector.timer')).toHaveLength(20));
    const handle = jest
      .spyOn(commands, 'handle')
      .mockImplementation(() => Promise.reject(new EventStoreUnavailableError('it is away')));
    logged.length = 0;
    now = due;
    await eventually(() => expect(handle.mock.calls.length).toBeGreaterThanOrEqual(20));
    handle.mockRestore();
    const of = (words: string) => logged.filter((line) => line.includes(words)).length;
    expect(of('timers wait for an engine')).toBeGreaterThan(0);
    expect(of('timers wait for an engine')).toBeLessThan(20);
    expect(of('is tried again')).toBe(0);
    now = plus(now, HOUR);
    await eventually(async () => {
      for (const id of ids) expect((await models.posts.get(WORKSPACE, id))?.view.status).toBe('publishing');
    });
  });

  it('announces an expiry 72 hours ahead, and takes the account away when it comes', async () => {
    const models = readModels(test.db);
    const credentialExpiresAt = plus(now, 100 * HOUR);
    const account = { accountId: 'acct_9', platform: 'x', username: 'ada', profileId: 'prof_1', credentialExpiresAt };
    await commands.handle(
      accountAggregate,
      'acct_9',
      { type: 'ConnectAccount', at: now, actor: 'usr_1', ...account },
      context(),
    );
    const actions = async () =>
      (await models.audit.list(WORKSPACE, { entityId: 'acct_9' }, PAGE)).data.map(({ action }) => action);
    await eventually(async () => expect(await actions()).toEqual(['AccountConnected']));
    now = plus(credentialExpiresAt, -72 * HOUR);
    await eventually(async () => expect(await actions()).toEqual(['CredentialExpiring', 'AccountConnected']));
    now = credentialExpiresAt;
    await eventually(async () =>
      expect((await models.accounts.get(WORKSPACE, 'acct_9'))?.view).toMatchObject({
        status: 'disconnected',
        disconnectedReason: 'token_expired',
      }),
    );
  });

  it('completes a closed campaign once its posts have settled, and gives up a place that nobody took', async () => {
    const models = readModels(test.db);
    const by = () => ({ at: now, actor: 'usr_1' });
    const send = (command: CampaignCommand) => commands.handle(campaignAggregate, 'cmp_1', command, context());
    await send({ type: 'CreateCampaign', ...by(), campaignId: 'cmp_1', name: 'Spring', profileId: 'prof_1' });
    for (const postId of ['pst_11', 'pst_12', 'pst_13'])
      await send({
        type: 'JoinCampaign',
        ...by(),
        campaignId: 'cmp_1',
        postId,
        request: 'r',
        reservedUntil: plus(now, MINUTE),
      });
    await schedule('pst_11', null, 'cmp_1');
    await schedule('pst_12', plus(now, HOUR), 'cmp_1');
    await send({ type: 'CloseCampaign', ...by() });
    const view = async () => (await models.campaigns.get(WORKSPACE, 'cmp_1'))?.view;
    await eventually(async () => expect((await models.posts.get(WORKSPACE, 'pst_11'))?.view.status).toBe('publishing'));
    const outcome = { ok: true, platformPostId: '1', url: 'https://x.example/1' } as const;
    const report = { destinationId: 'dst_pst_11', attempt: 1, outcome, retryDelaysMs: [] };
    await commands.handle(postAggregate, 'pst_11', { type: 'ReportOutcome', ...by(), ...report }, context());
    await eventually(async () =>
      expect(await view()).toMatchObject({ status: 'closed', total: 3, settled: 1, succeeded: 1 }),
    );
    await commands.handle(postAggregate, 'pst_12', { type: 'CancelPost', ...by(), reason: null }, context());
    await eventually(async () => expect(await view()).toMatchObject({ total: 2 }));
    now = plus(now, MINUTE);
    await eventually(async () =>
      expect(await view()).toMatchObject({ status: 'completed', total: 1, succeeded: 1, failed: 0 }),
    );
    const completed = { entityId: 'cmp_1', action: 'CampaignCompleted' };
    await eventually(async () =>
      expect((await models.audit.list(WORKSPACE, completed, PAGE)).data).toEqual([
        expect.objectContaining({ actor: 'system' }),
      ]),
    );
  });

  it('waits, however far behind it is, for a post whose place was reserved and that was scheduled in time', async () => {
    const by = () => ({ at: now, actor: 'usr_1' });
    const send = (command: CampaignCommand) => commands.handle(campaignAggregate, 'cmp_2', command, context());
    const about = { campaignId: 'cmp_2', postId: 'pst_21', request: 'r' };
    await projector.stop();
    await send({ type: 'CreateCampaign', ...by(), campaignId: 'cmp_2', name: 'Summer', profileId: 'prof_1' });
    await send({ type: 'JoinCampaign', ...by(), ...about, reservedUntil: plus(now, MINUTE) });
    await schedule('pst_21', plus(now, HOUR), 'cmp_2');
    await send({ type: 'CloseCampaign', ...by() });
    // And for no other: a place that another campaign keeps for a post of that id is given up.
    const elsewhere = (command: CampaignCommand) => commands.handle(campaignAggregate, 'cmp_3', command, context());
    await elsewhere({ type: 'CreateCampaign', ...by(), campaignId: 'cmp_3', name: 'Autumn', profileId: 'prof_1' });
    await elsewhere({
      type: 'JoinCampaign',
      ...by(),
      ...about,
      campaignId: 'cmp_3',
      reservedUntil: plus(now, MINUTE),
    });
    await elsewhere({ type: 'CloseCampaign', ...by() });
    now = plus(now, 2 * MINUTE);
    projector = projectorOf();
    projector.start();
    const told = async (id = 'cmp_2') =>
      (await store.read(streamName('campaign', WORKSPACE, id))).slice(1).map(({ type }) => type);
    await eventually(async () => expect(await told()).toHaveLength(3));
    expect(await told()).toEqual(['CampaignPostJoined', 'CampaignClosed', 'CampaignPostConfirmed']);
    await eventually(async () =>
      expect(await test.db.query("select from projector.timer where target = 'cmp_2'")).toEqual([]),
    );
    expect(await told()).toHaveLength(3);
    await eventually(async () =>
      expect(await told('cmp_3')).toEqual([
        'CampaignPostJoined',
        'CampaignClosed',
        'CampaignPostLeft',
        'CampaignCompleted',
      ]),
    );
  });

  it('goes on with a view that was built anew by hand while nothing happened to it, and whose former table is gone', async () => {
    const media = rebuildable.find(({ name }) => name === 'media')!;
    const models = readModels(test.db);
    const by = { at: now, actor: 'usr_1' };
    const add = (mediaId: string) =>
      commands.handle(
        mediaAggregate,
        mediaId,
        { type: 'AddMedia', ...by, mediaId, kind: 'image', url: null, bytes: null },
        context(),
      );
    const isShown = (id: string) =>
      eventually(async () => expect(await models.media.get(WORKSPACE, id)).toMatchObject({ view: { id } }));
    await add('med_1');
    await isShown('med_1');
    expect(await rebuild({ db: test.db, store }, media)).toBe(2);
    expect(await dropRetired(test.db, media, 0)).toEqual([1]);
    await add('med_2');
    await isShown('med_2');
    await isShown('med_1');
  });

  it('goes on with what is owed after a crash of the database has taken its checkpoint back', async () => {
    await test.db.query("update projector.checkpoint set position = 0 where name = 'policies'");
    await schedule('pst_31', null);
    const { posts } = readModels(test.db);
    await eventually(async () => expect((await posts.get(WORKSPACE, 'pst_31'))?.view.status).toBe('publishing'));
  });

  it('throws away, time and again, what a former build has left behind', async () => {
    await projector.stop();
    const every = jest.spyOn(globalThis, 'setInterval');
    projector = projectorOf();
    projector.start();
    const [sweep] = every.mock.calls.find(([, ms]) => ms === MINUTE)!;
    every.mockRestore();
    await test.db.script(`create table read.media_v90 (); create table read.media_v91 ();
      insert into projector.checkpoint (name, version, shape, status, epoch, retired_at)
        values ('media', 90, '0', 'retired', 1, now() - interval '1 hour'), ('media', 91, '0', 'retired', 1, now())`);
    const left =
      "select to_regclass('read.media_v90') is not null as old, to_regclass('read.media_v91') is not null as new";
    await eventually(async () => {
      sweep();
      expect(await test.db.query(left)).toEqual([{ old: false, new: true }]);
    });
  });
});
