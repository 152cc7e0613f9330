import * as fc from 'fast-check';
import { CommandHandler, type RecordedEvent } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { DomainError, instant, uuidv7, type Aggregate, type CommandBase, type Instant, type Message } from '#kernel';
import { postAggregate, type PostCommand } from '#publishing';
import { OPEN, writeFenced, type Database, type Workspaces } from '#postgres';
import { ownReadings, testDatabase, type TestDatabase } from '#testing';
import { invitationRevision, memberRevision, teamAggregate, type TeamCommand } from '#workspace';
import { campaignsView } from '../campaigns/campaigns.view';
import { postsView, presentPost } from '../posts/posts.view';
import { designsView } from '../designs/designs.view';
import { invitationsView } from '../team/invitations.view';
import { membersView } from '../team/members.view';
import { KeyedQuery } from './keyed-query';
import { KeyedTable } from './keyed-table';
import { takeIn, type KeyedView } from './keyed-view';

const START = Date.parse('2026-05-01T10:00:00.000Z');
const by = (at: Instant) => ({ at, actor: 'usr_1' });

/** Any command at any moment of a post's life; most are refused. */
const commands = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom('due', 'publish', 'fail', 'retry', 'cancel', 'reschedule')),
  { maxLength: 40 },
);

function commandOf(postId: string, name: string, at: Instant): PostCommand {
  const destinationId = `dst_${postId}_0`;
  const outcome = { ...by(at), type: 'ReportOutcome', destinationId, attempt: null, retryDelaysMs: [] } as const;
  switch (name) {
    case 'publish':
      return { ...outcome, outcome: { ok: true, platformPostId: '1', url: 'https://x.example/1' } };
    case 'fail':
      return { ...outcome, outcome: { ok: false, error: 'No', errorCode: 'no', retryable: false } };
    case 'retry':
      return { ...by(at), type: 'RetryPost', destinationIds: [] };
    case 'cancel':
      return { ...by(at), type: 'CancelPost', reason: null };
    case 'reschedule':
      return { ...by(at), type: 'ReschedulePost', scheduledAt: at };
    default:
      return { ...by(at), type: 'MarkPostDue' };
  }
}

/** The database, for readers; `tell` hears how many rows each of their statements looks at. */
const counting = (db: Database, tell: (read: number) => void): Workspaces => ({
  inWorkspace: () => ({
    query: async <Row>(text: string, params: readonly unknown[] = []) => {
      for (const { read } of await ownReadings(db, text, params)) tell(read);
      return db.query<Row>(text, params);
    },
  }),
});

describe('a keyed view', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  const apply = async <S extends object>(table: KeyedTable<S>, events: readonly RecordedEvent[]) =>
    writeFenced(test.db, OPEN, await table.changes(test.db, events));

  const handle = <C extends CommandBase, E extends Message, S>(
    handler: CommandHandler,
    it: Aggregate<C, E, S>,
    workspace: string,
    id: string,
    command: C,
  ) =>
    handler
      .handle(it, id, command, {
        workspace,
        actor: 'usr_1',
        correlationId: 'c',
        causationId: null,
        commandId: uuidv7(),
        at: command.at,
      })
      .catch((error: Error) => {
        if (!(error instanceof DomainError)) throw error;
      });

  const schedule = (handler: CommandHandler, workspace: string, n: number) => {
    const postId = `pst_${n}`;
    const at = instant(START);
    const destinations = ['instagram', 'x', 'linkedin']
      .slice(0, 1 + (n % 3))
      .map((platform, place) => ({ id: `dst_${postId}_${place}`, accountId: `acct_${place}`, platform }));
    return handle(handler, postAggregate, workspace, postId, {
      ...by(at),
      type: 'SchedulePost',
      postId,
      profileId: `prof_${n % 2}`,
      content: { text: 'Ünï\n"c" 🥐\u001f', mediaIds: [] },
      destinations,
      scheduledAt: instant(START + n * 60_000),
      campaignId: n % 4 === 0 ? 'cmp_1' : null,
    });
  };

  const rebuilt = async <S extends object, Shown extends object>(
    view: KeyedView<S, Shown>,
    events: readonly RecordedEvent[],
    sizes: readonly number[],
    version: number,
  ) => {
    const table = new KeyedTable(view, `read.${view.name}_v${version}`);
    await table.prepare(test.db);
    for (const make of table.indexes) await test.db.script(make);
    await table.publish(test.db);
    for (let from = 0, turn = 0; from < events.length; turn++) {
      const size = sizes[turn % sizes.length]!;
      await apply(table, events.slice(from, from + size));
      // Another leader, who remembers nothing.
      if (turn % 3 === 2) table.forget();
      from += size;
    }
    return new KeyedQuery(test.db, view);
  };

  it('shows what the log says of every post, however its events come in batches', async () => {
    let version = 0;
    await fc.assert(
      fc.asyncProperty(
        commands,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        async (steps, sizes) => {
          const store = new MemoryEventStore();
          const handler = new CommandHandler(store);
          for (let n = 0; n < 5; n++) await schedule(handler, `ws_${n % 2}`, n);
          let at = START;
          for (const [n, name] of steps) {
            at += 120_000;
            await handle(handler, postAggregate, `ws_${n % 2}`, `pst_${n}`, commandOf(`pst_${n}`, name, instant(at)));
          }
          const { events } = await store.readAll({ after: 0, limit: 1_000 });
          const query = await rebuilt(postsView, events, sizes, ++version);
          for (let n = 0; n < 5; n++) {
            const { state, revision, position } = await handler.load(postAggregate, `ws_${n % 2}`, `pst_${n}`);
            if (state.status === 'absent') throw new Error('a scheduled post is there');
            expect(await query.get(`ws_${n % 2}`, `pst_${n}`)).toMatchObject({
              view: presentPost(state),
              revision,
              position,
            });
            expect(await query.get(`ws_${1 - (n % 2)}`, `pst_${n}`)).toBeUndefined();
          }
          await store.close();
        },
      ),
      { numRuns: 15 },
    );
  });

  it('counts the events of each row where many share a stream, however they come in batches', async () => {
    let version = 0;
    const asked = fc.tuple(
      fc.integer({ min: 0, max: 3 }),
      fc.constantFrom('invite', 'accept', 'viewer', 'admin' as const),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(asked, { minLength: 1, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        async (steps, sizes) => {
          const store = new MemoryEventStore();
          const handler = new CommandHandler(store);
          const now = instant(START);
          for (const [n, what] of steps) {
            const [inviteId, userId] = [`inv_${n}`, `usr_${n}`];
            const command: TeamCommand =
              what === 'invite'
                ? { ...by(now), type: 'InviteMember', inviteId, email: 'a@example.com', role: 'editor' }
                : what === 'accept'
                  ? { ...by(now), type: 'AcceptInvitation', inviteId, userId }
                  : { ...by(now), type: 'ChangeRole', userId, role: what };
            await handle(handler, teamAggregate, 'ws_0', 'ws_0', command);
          }
          const { events } = await store.readAll({ after: 0, limit: 1_000 });
          const { state: team } = await handler.load(teamAggregate, 'ws_0', 'ws_0');
          version++;
          for (const [view, revisionIn, prefix] of [
            [invitationsView as KeyedView, invitationRevision, 'inv'],
            [membersView as KeyedView, memberRevision, 'usr'],
          ] as const) {
            const query = await rebuilt(view, events, sizes, version);
            for (let n = 0; n < 4; n++) {
              const found = await query.get('ws_0', `${prefix}_${n}`);
              const last = events.findLast((event) => view.keys(event).includes(`${prefix}_${n}`));
              expect(found?.revision).toBe(revisionIn(team, `${prefix}_${n}`));
              expect([found?.streamRevision, found?.position]).toEqual([last?.revision, last?.position]);
            }
          }
          await store.close();
        },
      ),
      { numRuns: 15 },
    );
  });

  const checked = (n: number, size: number) => {
    const data = { designId: `dsg_${n}`, clientId: 'c', name: 'n', guidelines: [], violations: ['x'.repeat(size)] };
    return ['DesignCreated', 'BrandViolated'].map(
      (type, revision) =>
        ({
          type,
          data,
          stream: `design-ws_1:dsg_${n}`,
          revision,
          position: 2 * n + revision,
          metadata: { workspace: 'ws_1' },
        }) as unknown as RecordedEvent,
    );
  };

  it('remembers no more rows than may be in memory, however large they are', async () => {
    const table = new KeyedTable(designsView, 'read.designs_v900');
    const sql = { query: async () => [], script: async () => undefined };
    for (let n = 0; n < 60; n++) await table.changes(sql, checked(n, 1_000_000));
    expect([table['rows'].size, table['size'] < 32_000_000]).toEqual([31, true]);
    // What has become small again takes as little.
    for (let n = 29; n < 60; n++) await table.changes(sql, checked(n, 10).slice(1));
    for (let n = 100; n < 400; n++) await table.changes(sql, checked(n, 10));
    expect(table['rows'].size).toBe(331);
    table.forget();
    expect(table['size']).toBe(0);
  });

  it('lists no more at once than may be in memory, and goes on behind it', async () => {
    const table = new KeyedTable(designsView, 'read.designs_v901');
    await table.prepare(test.db);
    await table.publish(test.db);
    await writeFenced(
      test.db,
      OPEN,
      await table.changes(test.db, Array.from({ length: 40 }, (_, n) => checked(n, 300_000)).flat()),
    );
    const query = new KeyedQuery(test.db, designsView);
    const first = await query.list('ws_1', {}, { limit: 200 });
    const second = await query.list('ws_1', {}, { limit: 200, cursor: first.nextCursor! });
    expect([first.data.length, second.data.length, second.nextCursor]).toEqual([27, 13, null]);
    const ids = [...first.data, ...second.data].map(({ view }) => view.id);
    expect(ids).toEqual(Array.from({ length: 40 }, (_, n) => `dsg_${39 - n}`));
  });

  it('shows nothing of what could not be written, once it has forgotten it', async () => {
    const store = new MemoryEventStore();
    const handler = new CommandHandler(store);
    await schedule(handler, 'ws_1', 1);
    for (const name of ['reschedule', 'cancel'])
      await handle(handler, postAggregate, 'ws_1', 'pst_1', commandOf('pst_1', name, instant(START + 1_000)));
    const { events } = await store.readAll({ after: 0, limit: 10 });
    const table = new KeyedTable(postsView, 'read.posts_v900');
    await table.prepare(test.db);
    await table.publish(test.db);
    await apply(table, events.slice(0, 1));
    await table.changes(test.db, events.slice(1));
    table.forget();
    await apply(table, events.slice(1, 2));
    const query = new KeyedQuery(test.db, postsView);
    expect(await query.get('ws_1', 'pst_1')).toMatchObject({ view: { status: 'scheduled' }, revision: 1 });
    await apply(table, events.slice(2));
    expect(await query.get('ws_1', 'pst_1')).toMatchObject({ view: { status: 'cancelled' }, revision: 2 });
    await store.close();
  });

  it('lists newest first by any filters, in pages that new things do not move', async () => {
    const store = new MemoryEventStore();
    const handler = new CommandHandler(store);
    for (let n = 0; n < 24; n++) await schedule(handler, 'ws_1', n);
    const { events } = await store.readAll({ after: 0, limit: 1_000 });
    const query = await rebuilt(postsView, events.slice(0, 20), [7], 1_000);
    const ids = async (filters: Record<string, string>) =>
      (await query.list('ws_1', filters, { limit: 50 })).data.map(({ view }) => Number(view.id.slice(4)));
    const range = (pick: (n: number) => boolean) => Array.from({ length: 20 }, (_, n) => 19 - n).filter(pick);
    expect(await ids({})).toEqual(range(() => true));
    expect(await ids({ platform: 'linkedin' })).toEqual(range((n) => n % 3 === 2));
    expect(await ids({ campaignId: 'cmp_1', profileId: 'prof_0' })).toEqual(range((n) => n % 4 === 0));
    const [from, to] = [instant(START + 5 * 60_000), instant(START + 9 * 60_000)];
    expect(await ids({ status: 'scheduled', from, to })).toEqual([8, 7, 6, 5]);
    const first = await query.list('ws_1', {}, { limit: 8 });
    const table = new KeyedTable(postsView, 'read.posts_v1000');
    await apply(table, events.slice(20));
    const second = await query.list('ws_1', {}, { limit: 8, cursor: first.nextCursor! });
    const third = await query.list('ws_1', {}, { limit: 8, cursor: second.nextCursor! });
    expect([...first.data, ...second.data, ...third.data].map(({ view }) => Number(view.id.slice(4)))).toEqual(
      range(() => true),
    );
    expect(third.nextCursor).toBeNull();
    await expect(query.list('ws_1', {}, { limit: 8, cursor: 'bm9uc2Vuc2U' })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('serves every filter by an index', async () => {
    await test.db.script(`insert into read.posts_v1000
      select 'ws_' || n % 20, 'pst_big_' || n, 0, 1000 + n, 1000 + n, false, '{}', (array['scheduled','published','failed'])[1 + n % 3], 'prof_' || n % 50,
        case when n % 10 = 0 then 'cmp_' || n % 500 end, now() + n * interval '1 second', array['ws_' || n % 20 || '/p' || n % 7] from generate_series(1, 60000) n;
      analyze read.posts_v1000`);
    for (const condition of [
      'true',
      "status = 'failed'",
      "profile_id = 'prof_3'",
      "campaign_id = 'cmp_10'",
      "scheduled_at >= now() and scheduled_at < now() + interval '60 seconds'",
      "platforms @> array['ws_1/p3']",
      "status = 'failed' and profile_id = 'prof_3' and created_position < 30000",
    ]) {
      const plan = await test.db.query<{ 'QUERY PLAN': string }>(
        `explain select id, state from read.posts where workspace = 'ws_1' and not gone and ${condition} order by created_position desc limit 51`,
      );
      const text = plan.map((line) => line['QUERY PLAN']).join('\n');
      expect(text).not.toContain('Seq Scan');
      expect(text).toContain('Index');
    }
  });

  it('finds what only few have without a look at all the others, and what many have among the newest', async () => {
    const table = new KeyedTable(postsView, 'read.posts_v1001');
    await table.prepare(test.db);
    for (const make of table.indexes) await test.db.script(make);
    await table.publish(test.db);
    const fill = (from: number, to: number, platforms: string) =>
      test.db
        .script(`insert into read.posts_v1001 select 'ws_1', 'pst_' || n, 0, n, n, false, json_build_object('postId', 'pst_' || n, 'content', '{}'::json, 'destinations', '[]'::json), 'scheduled',
        'prof_1', null, now(), array[${platforms}] from generate_series(${from}, ${to}) n`);
    await fill(101, 20_000, "'ws_1/instagram'");
    await test.db.script('analyze read.posts_v1001');
    // Of which the statistics know nothing, and older than all of them.
    await fill(1, 7, "'ws_1/instagram', 'ws_1/rare'");
    let looked = 0;
    const query = new KeyedQuery(
      counting(test.db, (read) => (looked += read)),
      postsView,
    );
    const page = async (platform: string, limit: number, cursor?: string) => {
      const { data, nextCursor } = await query.list('ws_1', { platform }, { limit, cursor });
      return { numbers: data.map(({ position }) => position), nextCursor };
    };
    const first = await page('rare', 3);
    expect(first.numbers).toEqual([7, 6, 5]);
    expect((await page('rare', 5, first.nextCursor!)).numbers).toEqual([4, 3, 2, 1]);
    expect((await page('never', 3)).numbers).toEqual([]);
    expect((await page('instagram', 3)).numbers).toEqual([20_000, 19_999, 19_998]);
    expect(looked).toBeLessThan(3 * 3_000);
  });

  it('lists things without a look at the rows that are there for others alone', async () => {
    const table = new KeyedTable(campaignsView, 'read.campaigns_v900');
    await table.prepare(test.db);
    for (const make of table.indexes) await test.db.script(make);
    await table.publish(test.db);
    const event = (n: number, type: string, data: object): RecordedEvent =>
      ({
        type,
        data: { campaignId: 'cmp_1', ...data },
        stream: 'campaign-ws_1:cmp_1',
        revision: n,
        position: 1 + n,
        metadata: { workspace: 'ws_1' },
      }) as unknown as RecordedEvent;
    const posts = Array.from({ length: 3_000 }, (_, n) => `pst_${n}`);
    await writeFenced(
      test.db,
      OPEN,
      await table.changes(test.db, [
        event(0, 'CampaignCreated', { name: 'Spring', profileId: 'prof_1' }),
        ...posts.map((postId, n) => event(1 + n, 'CampaignPostJoined', { postId, reservedUntil: null })),
      ]),
    );
    await test.db.script('analyze read.campaigns_v900');
    // Another leader, who has none of the rows in memory.
    const later = new KeyedTable(campaignsView, 'read.campaigns_v900');
    const settled = { postId: 'pst_7', outcome: 'published', round: 1, sourceEventId: 'e', settled: 1, total: 3_000 };
    const progressed = event(3_001, 'CampaignProgressed', { ...settled, succeeded: 1 });
    await writeFenced(test.db, OPEN, await later.changes(test.db, [progressed]));
    let looked = 0;
    const query = new KeyedQuery(
      counting(test.db, (read) => (looked += read)),
      campaignsView,
    );
    const all = await query.list('ws_1', {}, { limit: 50 });
    expect(all.data.map(({ view }) => view)).toEqual([
      expect.objectContaining({ id: 'cmp_1', total: 3_000, settled: 1, succeeded: 1, failed: 0 }),
    ]);
    expect((await query.list('ws_1', { status: 'open' }, { limit: 50 })).data).toHaveLength(1);
    expect(looked).toBeLessThan(50);
  });

  it('keeps apart what somebody is in each of two workspaces', async () => {
    const table = new KeyedTable(membersView, 'read.team_members_v900');
    await table.prepare(test.db);
    await table.publish(test.db);
    const event = (workspace: string, position: number, type: string, data: object) =>
      ({
        type,
        data: { userId: 'usr_1', ...data },
        stream: `team-${workspace}:${workspace}`,
        revision: position,
        position,
        metadata: { workspace },
      }) as unknown as RecordedEvent;
    await apply(table, [
      event('ws_1', 1, 'MemberJoined', { inviteId: 'inv_1', role: 'editor' }),
      event('ws_2', 2, 'MemberJoined', { inviteId: 'inv_2', role: 'viewer' }),
      event('ws_1', 3, 'RoleChanged', { newRole: 'admin' }),
    ]);
    const query = new KeyedQuery(test.db, membersView);
    const found = await Promise.all(['ws_1', 'ws_2'].map((workspace) => query.get(workspace, 'usr_1')));
    expect(found.map((it) => it?.view)).toEqual([
      { userId: 'usr_1', role: 'admin', inviteId: 'inv_1' },
      { userId: 'usr_1', role: 'viewer', inviteId: 'inv_2' },
    ]);
  });

  it('divides a team by member', () => {
    const event = (type: string, data: object): RecordedEvent =>
      ({ type, data, stream: 'team-ws_1:ws_1' }) as unknown as RecordedEvent;
    const invited = event('MemberInvited', {
      inviteId: 'inv_1',
      email: 'a@example.com',
      role: 'editor',
      invitedBy: 'usr_0',
    });
    const joined = event('MemberJoined', { userId: 'usr_1', inviteId: 'inv_1', role: 'editor' });
    const changed = event('RoleChanged', { userId: 'usr_1', oldRole: 'editor', newRole: 'admin', changedBy: 'usr_0' });
    expect(membersView.keys(invited)).toEqual([]);
    expect(membersView.keys(joined)).toEqual(['usr_1']);
    const members = new Map<string, object>();
    for (const each of [joined, changed]) takeIn(membersView as KeyedView, members, each);
    expect([...members]).toEqual([['usr_1', { userId: 'usr_1', role: 'admin', inviteId: 'inv_1' }]]);
  });
});
