import { randomUUID } from 'node:crypto';
import { get, type IncomingMessage } from 'node:http';
import { accountAggregate } from '#accounts';
import { streamName, type EventStore } from '#event-store';
import { PostgresEventStore } from '#event-store/postgres/postgres-event-store';
import { systemClock, uuidv7 } from '#kernel';
import { Database } from '#postgres';
import { ViewProgress } from '#read-models';
import { eventually } from '#testing';
import { bootApi, type BootedApi } from '../testing/boot-api';
import { projectViews } from '../testing/project-views';

const WAITERS = 500;

describe('readers that wait for a revision', () => {
  let api: BootedApi;
  /** Views are written by another process: its connections, and NOTIFY, are all there is between it and the api. */
  let elsewhere: Database;
  let store: PostgresEventStore;
  let views: { stop(): Promise<void> };
  let pause: Promise<void> = Promise.resolve();
  /** Batches that the views have come to. */
  let met = 0;
  const lost: Error[] = [];
  /** A view that does not say how far it is: what it would have said is kept here. */
  let untold: { readonly view: string; readonly said: string[] } | undefined;

  beforeAll(async () => {
    api = await bootApi();
    elsewhere = new Database(api.running.engines.db.url, { max: 20, name: 'elsewhere' });
    store = new PostgresEventStore(elsewhere);
    const follow = async function* (options: Parameters<EventStore['follow']>[0]) {
      for await (const batch of store.follow(options)) {
        met++;
        await pause;
        yield batch;
      }
    };
    const tell = (channel: string, payload: string) =>
      untold && payload.startsWith(`${untold.view}:`)
        ? void untold.said.push(payload)
        : void elsewhere.notify(channel, payload).catch((error: Error) => lost.push(error));
    views = await projectViews({ db: elsewhere, store: { follow }, wake: { local: tell } });
  });
  afterAll(async () => {
    await views.stop();
    await store.close();
    await elsewhere.end();
    await api.close();
  });

  afterEach(() => (untold = undefined));

  const all = <T>(work: (id: string) => Promise<T>) =>
    Promise.all(Array.from({ length: WAITERS }, (_, n) => work(`acct_w${n}`)));

  it('hold no connection and ask nothing while they wait, five hundred at once, and are woken by NOTIFY', async () => {
    const { db } = api.running.engines;
    await all((id) => api.send('POST', '/accounts', { id, platform: 'mastodon', username: 'u', profileId: 'p' }));
    const seen = () => elsewhere.query<{ n: number }>('select count(*)::int as n from read.accounts');
    await eventually(async () => expect(await seen()).toEqual([{ n: WAITERS }]));
    let goOn = (): void => undefined;
    pause = new Promise((go) => (goOn = go));
    await all((id) => api.send('POST', `/accounts/${id}/disconnect`, { reason: 'for a test' }));

    const query = jest.spyOn(db, 'query');
    const byWorkspace = jest.spyOn(db, 'inWorkspace');
    const statements = () => query.mock.calls.length + byWorkspace.mock.calls.length;
    const looksAround = () => query.mock.calls.filter(([text]) => text.includes('projector.checkpoint')).length;
    let answered = 0;
    const answers = all(async (id) => {
      const answer = await api.send('GET', `/accounts/${id}?minRevision=1`, undefined, { prefer: 'wait=30' });
      answered++;
      return answer;
    });
    await eventually(() => expect(byWorkspace.mock.calls.length).toBeGreaterThanOrEqual(WAITERS));
    // When the last of them waits, only the safety net asks, once a second for all of them together.
    await eventually(async () => {
      const before = { statements: statements(), looks: looksAround() };
      await eventually(() => expect(looksAround()).toBeGreaterThan(before.looks + 1));
      expect(statements() - before.statements).toBeLessThan(20);
    });
    expect(answered).toBe(0);
    const backends = await elsewhere.query<{ n: number }>(
      "select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name = 'postledger api'",
    );
    expect(backends[0]!.n).toBeLessThanOrEqual(10);
    // The safety net may ask at this very moment.
    await eventually(async () => {
      const active = await elsewhere.query(
        "select query from pg_stat_activity where datname = current_database() and application_name = 'postledger api' and state <> 'idle'",
      );
      expect(active).toEqual([]);
    });

    const [woken, looks] = [statements(), looksAround()];
    goOn();
    for (const { status, headers } of await answers) expect([status, headers['etag']]).toEqual([200, '"1"']);
    // One last read for each, and what they all looked for together. The safety net found nothing: these views keep no checkpoints.
    expect(statements() - woken - (looksAround() - looks)).toBeLessThan(WAITERS + 50);
  });

  it('read a thing of a stream with many from its view, once that has passed what was written to the others', async () => {
    const invite = (id: string) =>
      api.send('POST', '/team/invitations', { id, email: 'a@example.com', role: 'viewer' });
    for (const id of ['inv_first', 'inv_second']) expect((await invite(id)).status).toBe(201);
    const read = jest.spyOn(api.running.engines.store, 'read');
    const first = () => api.send('GET', '/team/invitations/inv_first');
    await eventually(async () => {
      read.mockClear();
      expect(await first()).toMatchObject({ status: 200, body: { id: 'inv_first', role: 'viewer' } });
      expect(read).not.toHaveBeenCalled();
    });
    expect((await api.send('POST', '/team/invitations/inv_first/accept', { userId: 'usr_first' })).status).toBe(200);
    expect(await first()).toMatchObject({ status: 200, headers: { etag: '"1"' } });
  });

  const account = (id: string) => ({ id, platform: 'mastodon', username: 'u', profileId: 'p' });
  const holding = () => {
    let goOn = (): void => undefined;
    pause = new Promise((go) => (goOn = go));
    return goOn;
  };

  it('wait in lists for what was written before, as long as they prefer', async () => {
    const goOn = holding();
    const written = { id: 'acct_listed', platform: 'mastodon', username: 'u', profileId: 'p' };
    expect((await api.send('POST', '/accounts', written)).status).toBe(201);
    const newest = async (prefer?: string) =>
      (await api.send('GET', '/accounts?limit=1', undefined, { prefer })).at('data', 0, 'id');
    let isAnswered = false;
    const patient = newest('wait=30').finally(() => (isAnswered = true));
    expect(await newest('wait=0')).not.toBe(written.id);
    // Who prefers nothing waits a second.
    expect(await newest()).not.toBe(written.id);
    expect(isAnswered).toBe(false);
    goOn();
    expect(await patient).toBe(written.id);
  });

  it('wait before an export for what was written before, as long as they prefer', async () => {
    const goOn = holding();
    await api.send('POST', '/accounts', account('acct_exported'));
    const lines = async (prefer: string) =>
      (await api.send('GET', '/audit-log/export?entityId=acct_exported', undefined, { prefer })).text.split('\n')
        .length;
    const patient = lines('wait=30');
    expect(await lines('wait=0')).toBe(1);
    goOn();
    expect(await patient).toBe(2);
  });

  it('wait for what somebody wrote last before they say what is kept of them, and where that went', async () => {
    const goOn = holding();
    await api.send('POST', '/accounts', account('acct_subject'));
    const [event] = await store.read(streamName('account', api.workspace, 'acct_subject'));
    const delivery = uuidv7();
    await elsewhere.query(
      `with endpoint as (
         insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
         values ($1, 'whe_subject', '{}', true, 'live', 0, 0, '[]', 0) returning no
       ), body as (
         insert into delivery.body (id, body) values ($2, '{"username":{"$sealed":"acct_subject.1."}}')
       ), attempt as (
         insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code) values ($2, 1, now(), 1, true, 204)
       )
       insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
       select $2, no, 1, 1, $3, $3, $2, 'account.connected', 'acct_subject' from endpoint`,
      [api.workspace, delivery, event!.id],
    );
    const said = async (prefer: string) => {
      const [kept, sent] = await Promise.all(
        ['', '/sent'].map((path) => api.send('GET', `/subjects/acct_subject${path}`, undefined, { prefer })),
      );
      return [kept!.at('events'), sent!.at<{ deliveryId: string }[]>('data').map(({ deliveryId }) => deliveryId)];
    };
    expect(await said('wait=0')).toEqual([0, []]);
    let isAnswered = false;
    const patient = said('wait=30').finally(() => (isAnswered = true));
    expect(await said('wait=0')).toEqual([0, []]);
    expect(isAnswered).toBe(false);
    goOn();
    expect(await patient).toEqual([1, [`dlv_${delivery}`]]);
  });

  it('wait for a thing of a stream with many that its view has not met', async () => {
    const goOn = holding();
    const invitation = { id: 'inv_awaited', email: 'a@example.com', role: 'viewer' };
    const { status, headers } = await api.send('POST', '/team/invitations', invitation);
    expect(status).toBe(201);
    const etag = headers['etag']!;
    const awaited = (prefer: string) =>
      api.send('GET', `/team/invitations/inv_awaited?minRevision=${JSON.parse(etag)}`, undefined, { prefer });
    expect((await awaited('wait=0')).status).toBe(504);
    const patient = awaited('wait=30');
    goOn();
    expect(await patient).toMatchObject({ status: 200, headers: { etag } });
  });

  /** An account loses its credential by the hand of another process. */
  const expireElsewhere = async (id: string, after: number) => {
    const stream = streamName('account', api.workspace, id);
    const { metadata } = (await store.read(stream)).at(-1)!;
    const data = { accountId: id, platform: 'mastodon', reason: 'token_expired' };
    await store.append(stream, [{ id: randomUUID(), type: 'AccountDisconnected', data, metadata }], after);
  };

  it.each([
    ['by id', '/accounts/acct_by_id', 'acct_by_id'],
    ['in a list', '/accounts?limit=1', 'acct_in_a_list'],
  ])('find in the audit log what they were shown %s', async (_, path, id) => {
    const entries = (prefer: string) => api.send('GET', `/audit-log?entityId=${id}`, undefined, { prefer });
    await api.send('POST', '/accounts', account(id));
    expect((await entries('wait=30')).at('data')).toHaveLength(1);
    const { said } = (untold = { view: 'audit', said: [] as string[] });
    await expireElsewhere(id, 0);
    await eventually(async () => expect((await api.send('GET', path)).text).toContain('token_expired'));
    let isAnswered = false;
    const patient = entries('wait=30').finally(() => (isAnswered = true));
    await api.send('GET', '/audit-log?entityId=acct_nobody', undefined, { prefer: 'wait=1' });
    expect(isAnswered).toBe(false);
    untold = undefined;
    for (const payload of said) await elsewhere.notify('view_progress', payload);
    expect((await patient).at('data')).toHaveLength(2);
  });

  it('show by id what the audit log has shown', async () => {
    const id = 'acct_logged';
    const row = async () => {
      const [kept] = await elsewhere.query<{ kept: string }>(
        'select json_build_array(revision, position, state)::text as kept from read.accounts_v1 where id = $1',
        [id],
      );
      return kept?.kept;
    };
    await api.send('POST', '/accounts', account(id));
    const before = await eventually(async () => {
      const kept = await row();
      expect(kept).toBeDefined();
      return kept;
    });
    untold = { view: 'accounts', said: [] };
    await expireElsewhere(id, 0);
    await eventually(async () =>
      expect((await api.send('GET', `/audit-log?entityId=${id}`)).at('data')).toHaveLength(2),
    );
    // As where the view has not come so far: it takes its time on its own.
    const put = (kept: string | undefined) =>
      elsewhere.query(
        'update read.accounts_v1 set revision = ($2::json ->> 0)::int, position = ($2::json ->> 1)::bigint, state = $2::json ->> 2 where id = $1',
        [id, kept],
      );
    const after = await row();
    await put(before);
    expect(await api.send('GET', `/accounts/${id}`)).toMatchObject({ body: { disconnectedReason: 'token_expired' } });
    await put(after);
  });

  it('show by id what the live stream has told', async () => {
    const id = 'acct_streamed';
    await api.send('POST', '/accounts', account(id));
    const told = await new Promise<IncomingMessage>((open) =>
      get(`${api.running.url}/api/v1/stream`, { headers: { authorization: `Bearer ${api.key}` } }, open),
    );
    let text = '';
    told.setEncoding('utf8').on('data', (some: string) => (text += some));
    await eventually(() => expect(text).toContain(': open'));
    const goOn = holding();
    await expireElsewhere(id, 0);
    await eventually(() => expect(text).toContain(id));
    told.destroy();
    expect(await api.send('GET', `/accounts/${id}`)).toMatchObject({ body: { disconnectedReason: 'token_expired' } });
    goOn();
  });

  it('show by id and in lists what another part of the process has written', async () => {
    const id = 'acct_by_others';
    await api.send('POST', '/accounts', account(id));
    const goOn = holding();
    const context = {
      workspace: api.workspace,
      actor: 'system',
      correlationId: randomUUID(),
      causationId: null,
      commandId: randomUUID(),
      at: systemClock(),
    };
    const expire = { type: 'DisconnectAccount', reason: 'token_expired', at: context.at, actor: 'system' } as const;
    await api.running.engines.commands.handle(accountAggregate, id, expire, context);
    const shown = { body: { disconnectedReason: 'token_expired' } };
    expect(await api.send('GET', `/accounts/${id}`)).toMatchObject(shown);
    const listed = api.send('GET', '/accounts?limit=1', undefined, { prefer: 'wait=30' });
    goOn();
    expect((await listed).at('data', 0)).toMatchObject(shown.body);
  });

  it('read of a stream with many no more than its view does not have', async () => {
    const { db, store: log } = api.running.engines;
    const invite = (id: string) =>
      api.send('POST', '/team/invitations', { id, email: 'a@example.com', role: 'viewer' });
    const seen = async (id: string) => {
      const { status, headers } = await api.send('GET', `/team/invitations/${id}`);
      return [status, headers['etag']];
    };
    const first = (await invite('inv_met')).headers['etag'];
    await api.send('GET', '/team/invitations?limit=1', undefined, { prefer: 'wait=30' });
    await db.query(
      "insert into projector.checkpoint (name, version, shape, status, position) values ('team_invitations', 1, '1', 'current', $1)",
      [await log.head()],
    );
    const goOn = holding();
    const read = jest.spyOn(log, 'read').mockClear();
    expect([await seen('inv_met'), await seen('inv_nobody')]).toEqual([
      [200, first],
      [404, undefined],
    ]);
    expect(read).not.toHaveBeenCalled();
    const next = (await invite('inv_unmet')).headers['etag'];
    const joined = (await api.send('POST', '/team/invitations/inv_met/accept', { userId: 'usr_met' })).headers['etag'];
    read.mockClear();
    expect([await seen('inv_met'), await seen('inv_unmet'), await seen('inv_nobody')]).toEqual([
      [200, joined],
      [200, next],
      [404, undefined],
    ]);
    expect(read).not.toHaveBeenCalled();
    read.mockRestore();
    goOn();
    await db.query("delete from projector.checkpoint where name = 'team_invitations'");
  });

  it('are shown what shares a stream also while its view is of a build that did not count for each', async () => {
    const { db } = api.running.engines;
    const ids = ['inv_old1', 'inv_old2'];
    for (const id of ids) await api.send('POST', '/team/invitations', { id, email: 'a@example.com', role: 'viewer' });
    const listed = async () => {
      const { status, at } = await api.send('GET', '/team/invitations?limit=2', undefined, { prefer: 'wait=30' });
      return [status, at('data', 0, 'id'), at('data', 1, 'id')];
    };
    expect(await listed()).toEqual([200, 'inv_old2', 'inv_old1']);
    const view = (columns: string) =>
      db.script(`drop view read.team_invitations;
        create view read.team_invitations with (security_invoker = true) as select ${columns} from read.team_invitations_v1`);
    await view('workspace, id, revision, position, created_position, gone, state, status');
    for (const id of ids)
      expect(await api.send('GET', `/team/invitations/${id}`)).toMatchObject({ status: 200, headers: { etag: '"0"' } });
    expect(await api.send('GET', '/team/invitations/inv_old3')).toMatchObject({ status: 404 });
    expect(await listed()).toEqual([200, 'inv_old2', 'inv_old1']);
    await view('*');
  });

  it('never unsee what they were shown, when another process has written more than the view has', async () => {
    const next = async (act: () => unknown) => {
      const before = met;
      await act();
      await eventually(() => expect(met).toBe(before + 1));
    };
    const none = holding();
    await next(() => api.send('POST', '/accounts', account('acct_none')));
    await api.send('POST', '/accounts', account('acct_seen'));
    await api.send('POST', '/accounts/acct_seen/credential', { expiresAt: '2035-01-01T00:00:00Z' });
    const first = holding();
    await next(none);
    const stream = streamName('account', api.workspace, 'acct_seen');
    const { type, data, metadata } = (await store.read(stream)).at(-1)!;
    await store.append(stream, [{ id: randomUUID(), type, data, metadata }], 1);
    const seen = async () => (await api.send('GET', '/accounts/acct_seen')).headers['etag'];
    expect(await seen()).toBe('"2"');
    const second = holding();
    first();
    await eventually(async () => {
      const rows = await elsewhere.query("select revision from read.accounts where id = 'acct_seen'");
      expect(rows).toEqual([{ revision: 1 }]);
    });
    expect(await seen()).toBe('"2"');
    second();
  });

  it('wait no longer once their process ends', async () => {
    const ending = await bootApi({
      databaseUrl: api.running.engines.settings.databaseUrl!,
      env: { POSTLEDGER_API_KEY: api.key },
    });
    const goOn = holding();
    await ending.send('POST', '/accounts', account('acct_ending'));
    const waits = jest.spyOn(ViewProgress.prototype, 'revisionSeen');
    const listing = jest.spyOn(ViewProgress.prototype, 'reached');
    const prefer = { prefer: 'wait=30' };
    const one = ending.send('GET', '/accounts/acct_ending?minRevision=0', undefined, prefer);
    const all = ending.send('GET', '/accounts?limit=1', undefined, prefer);
    await eventually(() => expect([waits.mock.calls.length, listing.mock.calls.length]).toEqual([1, 1]));
    const began = performance.now();
    await ending.close();
    expect(performance.now() - began).toBeLessThan(20_000);
    expect([(await one).status, (await all).status]).toEqual([504, 200]);
    goOn();
  });
});
