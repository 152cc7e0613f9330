import { pino } from 'pino';
import { Registry } from 'prom-client';
import { accountAggregate } from '#accounts';
import { CommandHandler, EventStoreUnavailableError, type CommandContext } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { instant, MINUTE, plus, systemClock, type Clock, type Instant } from '#kernel';
import { MemoryBus } from '#messaging/memory/memory-bus';
import { messagesOf, toBusMessage } from '#public-messages';
import { postAggregate, type ExistingPost } from '#publishing';
import { eventually } from '#testing';
import { Publisher } from './publisher';

describe('the publisher', () => {
  let store: MemoryEventStore;
  let commands: CommandHandler;
  let bus: MemoryBus;
  let publisher: Publisher;
  let metrics: Registry;
  let published = 0;
  let ids = 0;
  let workspace: string;
  /** The time at which commands come. */
  let now: Clock;
  /** Whether nobody can read a name any more. */
  let erased = false;

  const context = (): CommandContext => ({
    workspace,
    actor: 'usr_1',
    correlationId: 'corr-1',
    causationId: null,
    commandId: `command-${++ids}`,
    at: now(),
  });
  const connect = async (username: string): Promise<string> => {
    const accountId = `acct_${username.split('.')[0]}`;
    const command = { type: 'ConnectAccount', at: systemClock(), actor: 'usr_1' } as const;
    const facts = { accountId, platform: 'mastodon', username, profileId: 'prof_1', credentialExpiresAt: null };
    const { state: known } = await commands.load(accountAggregate, workspace, accountId);
    if (known.status === 'absent')
      await commands.handle(accountAggregate, accountId, { ...command, ...facts }, context());
    return accountId;
  };
  /** Schedules a post and makes it due, as the projector's policy does. */
  const post = async (postId: string, ...usernames: string[]): Promise<void> => {
    const at = now();
    const destinations = await Promise.all(
      usernames.map(async (name) => ({ id: `dst_${name}`, accountId: await connect(name), platform: 'mastodon' })),
    );
    const content = { text: 'Tonight', mediaIds: [] };
    const rest = { postId, profileId: 'prof_1', content, destinations, scheduledAt: null, campaignId: null };
    await commands.handle(postAggregate, postId, { type: 'SchedulePost', at, actor: 'usr_1', ...rest }, context());
    await commands.handle(postAggregate, postId, { type: 'MarkPostDue', at, actor: 'system' }, context());
  };
  /** The outbox: every message of the log that is not on the bus yet. */
  const relay = async (): Promise<void> => {
    const { events, position } = await store.readAll({ after: published, limit: 10_000 });
    published = position;
    await bus.publish(events.flatMap((event) => messagesOf(event)).map(toBusMessage));
  };
  const state = async (postId: string): Promise<ExistingPost> =>
    (await commands.load(postAggregate, workspace, postId)).state as ExistingPost;
  const start = async (slowMs: number): Promise<Publisher> => {
    const log = pino({ level: 'silent' });
    metrics = new Registry();
    const it = new Publisher({
      bus,
      commands,
      keys: { open: async (of, text) => ({ text: erased || of !== workspace ? 'null' : text, erased }) },
      clock: systemClock,
      log,
      metrics,
      retryScale: 2,
      slowMs,
    });
    await it.start();
    return it;
  };

  beforeEach(async () => {
    store = new MemoryEventStore();
    commands = new CommandHandler(store);
    bus = new MemoryBus();
    published = 0;
    erased = false;
    workspace = 'ws_1';
    now = systemClock;
    publisher = await start(60_000);
  });
  afterEach(async () => {
    await publisher.close();
    await bus.close();
  });

  it('publishes what is due to every destination and settles the post', async () => {
    await post('pst_1', 'ann', 'bob.fails');
    await relay();
    await eventually(async () => expect((await state('pst_1')).status).toBe('partial'));
    const [ann, bob] = (await state('pst_1')).destinations;
    expect(ann).toMatchObject({ status: 'published', attempts: 1 });
    expect(bob).toMatchObject({ status: 'failed', outcomes: [{ errorCode: 'token_expired', error: 'Token expired' }] });
  });

  it('tells in its metrics how far it is behind, and what came of what it took', async () => {
    await post('pst_1', 'ann', 'bob.fails', 'cy.flaky');
    await relay();
    await eventually(async () => {
      const told = await metrics.metrics();
      expect(told).toContain('postledger_publisher_bus_lag 0\n');
      for (const outcome of ['published', 'failed', 'retryable'])
        expect(told).toContain(`postledger_publisher_outcomes_total{outcome="${outcome}"} 1\n`);
    });
  });

  /** Resolves when both groups have taken what is on the bus. */
  const taken = () =>
    eventually(async () => {
      const lags = await Promise.all(publisher['subscriptions'].map((subscription) => subscription.lag()));
      expect(lags).toEqual([0, 0]);
    });

  it('reads an account no more for the slow networks once it knows that it is quick', async () => {
    for (const [id, reads] of [
      ['pst_1', expect.anything()],
      ['pst_2', 1],
    ] as const) {
      await post(id, 'ann');
      const load = jest.spyOn(commands, 'load');
      await relay();
      await taken();
      expect(load.mock.calls.filter(([aggregate]) => (aggregate as unknown) === accountAggregate).length).toEqual(
        reads,
      );
      load.mockRestore();
    }
    expect((await state('pst_2')).status).toBe('published');
  });

  it('takes nothing else for due that comes on the same topic', async () => {
    await post('pst_1', 'ann');
    const { events } = await store.readAll({ after: 0, limit: 10_000 });
    const due = events.flatMap((event) => messagesOf(event)).filter(({ type }) => type === 'post.destination_due');
    await bus.publish(due.map((message) => ({ ...toBusMessage(message), type: 'post.destination_else' })));
    await taken();
    expect((await state('pst_1')).status).toBe('publishing');
  });

  it('leaves a flaky destination to the ladder of the core', async () => {
    await post('pst_1', 'cy.flaky');
    await relay();
    await eventually(async () => expect((await state('pst_1')).destinations[0]!.retryAt).not.toBeNull());
    expect((await state('pst_1')).status).toBe('publishing');
    const { data, metadata } = (await store.read(`post-${workspace}:pst_1`)).at(-1)!;
    const { retryAt: at, destinationId } = data as { retryAt: Instant; destinationId: string };
    expect(at).toBe(plus(instant(metadata.occurredAt), 2 * MINUTE));
    const again = { type: 'MarkDestinationDue', at, actor: 'system', destinationId, attempt: 2 } as const;
    await commands.handle(postAggregate, 'pst_1', again, context());
    await relay();
    await eventually(async () => expect((await state('pst_1')).status).toBe('published'));
  });

  it('tells an account from another of its id in another workspace', async () => {
    await publisher.close();
    publisher = await start(1);
    await post('pst_quick', 'ann');
    await relay();
    await eventually(async () => expect((await state('pst_quick')).status).toBe('published'));
    workspace = 'ws_2';
    await post('pst_slow', 'ann.slow');
    await relay();
    await eventually(async () => expect((await state('pst_slow')).status).toBe('published'));
  });

  it('takes nothing for done that the log has not taken', async () => {
    await post('pst_1', 'ann');
    jest.spyOn(store, 'append').mockRejectedValueOnce(new EventStoreUnavailableError('away'));
    await relay();
    await eventually(async () => expect((await state('pst_1')).status).toBe('published'));
  });

  it('is not held up by what somebody else has reported otherwise', async () => {
    await post('pst_1', 'ann');
    const outcome = { ok: false, errorCode: 'x', error: 'By hand', retryable: false } as const;
    const report = { type: 'ReportOutcome', at: systemClock(), actor: 'key_1', destinationId: 'dst_ann' } as const;
    await commands.handle(postAggregate, 'pst_1', { ...report, attempt: 1, outcome, retryDelaysMs: [] }, context());
    await relay();
    await post('pst_2', 'ben');
    await relay();
    await eventually(async () => expect((await state('pst_2')).status).toBe('published'));
    await eventually(async () => expect(await publisher.lag()).toBe(0));
    expect((await state('pst_1')).status).toBe('failed');
  });

  it('reports once what the bus hands over twice', async () => {
    await post('pst_1', 'ann');
    await relay();
    await eventually(async () => expect((await state('pst_1')).status).toBe('published'));
    const head = await store.head();
    published = 0;
    await relay();
    await post('pst_2', 'ben');
    await relay();
    await eventually(async () => expect((await state('pst_2')).status).toBe('published'));
    const ofFirst = await store.read(`post-${workspace}:pst_1`);
    expect(ofFirst.at(-1)!.position).toBeLessThanOrEqual(head);
  });

  it('keeps a slow network from holding up the others', async () => {
    await post('pst_slow', 'dan.slow');
    await relay();
    await post('pst_quick', 'ann');
    await relay();
    await eventually(async () => expect((await state('pst_quick')).status).toBe('published'));
    expect((await state('pst_slow')).status).toBe('publishing');
  });

  it('counts the time of a slow network from when the attempt was due, not from when it was taken', async () => {
    now = () => plus(systemClock(), -MINUTE);
    await post('pst_slow', 'dan.slow');
    await relay();
    await eventually(async () => expect((await state('pst_slow')).status).toBe('published'));
  });

  it('knows a slow network again at its next post', async () => {
    now = () => plus(systemClock(), -MINUTE);
    for (const id of ['pst_1', 'pst_2']) {
      await post(id, 'dan.slow');
      await relay();
      await eventually(async () => expect((await state(id)).status).toBe('published'));
    }
  });

  it('stops at once while a slow network is silent, and the next publisher asks again', async () => {
    await post('pst_slow', 'dan.slow');
    await relay();
    await publisher.close();
    expect((await state('pst_slow')).status).toBe('publishing');
    publisher = await start(1);
    await eventually(async () => expect((await state('pst_slow')).status).toBe('published'));
  });

  it('settles what was left to a slow network whose account is erased before its turn', async () => {
    await post('pst_first', 'dan.slow');
    await relay();
    await eventually(async () => expect((await state('pst_first')).status).toBe('publishing'));
    await post('pst_second', 'dora.slow');
    await relay();
    // A post after it on a quick network: the two before have been left to the slow ones.
    await post('pst_third', 'ann');
    await relay();
    await eventually(async () => expect((await state('pst_third')).status).toBe('published'));
    erased = true;
    await post('pst_fourth', 'dora.slow');
    await relay();
    await eventually(async () => expect((await state('pst_fourth')).status).toBe('published'));
    await publisher.close();
    publisher = await start(1);
    for (const id of ['pst_first', 'pst_second'])
      await eventually(async () => expect([id, (await state(id)).status]).toEqual([id, 'published']));
  });

  it('records the message that caused an outcome, and its correlation', async () => {
    await post('pst_1', 'ann');
    await relay();
    await eventually(async () => expect((await state('pst_1')).status).toBe('published'));
    const events = await store.read(`post-${workspace}:pst_1`);
    const due = events.find(({ type }) => type === 'DestinationDue')!;
    const outcome = events.find(({ type }) => type === 'DestinationPublished')!;
    expect(outcome.metadata).toMatchObject({
      correlationId: 'corr-1',
      causationId: `evt_${due.id}`,
      actor: 'publisher',
    });
  });
});
