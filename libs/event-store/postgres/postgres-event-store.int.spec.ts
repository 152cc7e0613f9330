import { randomUUID } from 'node:crypto';
import { Database } from '#postgres';
import { eventually, testDatabase } from '#testing';
import { eventStoreConformance, type OpenStore } from '../conformance/event-store.conformance';
import { sealingConformance } from '../conformance/sealing.conformance';
import { collect } from '../conformance/support';
import { EventStoreUnavailableError, type NewEvent } from '../port/event-store';
import { STRANGER } from './log-checks';
import { PostgresEventStore } from './postgres-event-store';

const open = async (): Promise<OpenStore> => {
  const test = await testDatabase();
  const others: Database[] = [];
  const store = new PostgresEventStore(test.db);
  return {
    store,
    async reopen() {
      const db = new Database(test.url, { max: 3 });
      others.push(db);
      return new PostgresEventStore(db);
    },
    async close() {
      await store.close();
      await Promise.all(others.map((db) => db.end()));
      await test.drop();
    },
  };
};

eventStoreConformance('PostgreSQL', open);
sealingConformance('PostgreSQL', open);

const happened = (id: string = randomUUID()): NewEvent => ({
  id,
  type: 'Happened',
  data: {},
  metadata: {
    workspace: 'ws_1',
    actor: 'usr_1',
    correlationId: 'cor_1',
    causationId: null,
    commandId: id,
    schemaVersion: 1,
    occurredAt: '2026-01-01T00:00:00.000Z',
  },
});

it('has told others of its last append when it is closed', async () => {
  const test = await testDatabase();
  const db = new Database(test.url, { max: 2 });
  const store = new PostgresEventStore(db);
  const heard: string[] = [];
  test.db.listen('log_appended', (position) => heard.push(position));
  let last = 0;
  const append = async () => void ({ position: last } = await store.append(`thing-ws_1:${last}`, [happened()], -1));
  await eventually(async () => {
    await append();
    expect(heard.length).toBeGreaterThan(1);
  });
  for (let n = 0; n < 20; n++) await append();
  await store.close();
  await db.end();
  await eventually(() => expect(heard).toContain(String(last)));
  await test.drop();
});

it('tells a follower in another process of an append at once, not at its next poll', async () => {
  const test = await testDatabase();
  const db = new Database(test.url, { max: 2 });
  const [here, elsewhere] = [new PostgresEventStore(test.db), new PostgresEventStore(db)];
  const control = new AbortController();
  const { events, done } = collect(elsewhere.follow({ after: 0, maxBatch: 10, signal: control.signal }));
  const waits: number[] = [];
  for (let n = 0; n < 6; n++) {
    await here.append('thing-ws_1:told', [happened()], n - 1);
    const begun = performance.now();
    await eventually(() => expect(events).toHaveLength(n + 1), { every: 1 });
    waits.push(performance.now() - begun);
  }
  // A follower that polls would need a second for each but the first; one lost wake-up is not what this is about.
  expect(waits.sort((a, b) => a - b)[3]).toBeLessThan(500);
  control.abort();
  await done;
  for (const store of [here, elsewhere]) await store.close();
  await db.end();
  await test.drop();
});

it('takes the appends to one stream in the order in which they were asked for, also where a later one would fit first', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db, { maxBatchEvents: 2 });
  const appended = await Promise.all([
    store.append('thing-ws_1:a', [happened()], -1),
    store.append('thing-ws_1:b', [happened(), happened()], -1),
    store.append('thing-ws_1:b', [happened()], 1),
    store.append('thing-ws_1:b', [happened()], 2),
  ]);
  expect(appended.map(({ revision }) => revision)).toEqual([0, 1, 2, 3]);
  await store.close();
  await test.drop();
});

it('sends appends apart that would be too large for one statement together', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  const asked = jest.spyOn(test.db, 'query');
  const large = (): NewEvent => ({ ...happened(), data: { text: 'x'.repeat(2_500_000) } });
  const append = (name: string, event: NewEvent) => store.append(`thing-ws_1:${name}`, [event], -1);
  await Promise.all([append('a', large()), append('b', happened()), append('c', large())]);
  expect(asked.mock.calls.filter(([text]) => text.includes('log.append('))).toHaveLength(2);
  asked.mockRestore();
  await store.close();
  await test.drop();
});

it('gives up together what travelled with a refused append when the server answers no more', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db, { deadlineMs: 50 });
  const asked = jest.spyOn(test.db, 'query').mockImplementation(() => new Promise(() => undefined));
  asked.mockRejectedValueOnce(Object.assign(new Error('refused'), { code: '23505' }));
  const appends = ['a', 'b', 'c'].map((name) => store.append(`thing-ws_1:${name}`, [happened()], -1));
  for (const outcome of await Promise.allSettled(appends))
    expect(outcome).toMatchObject({ reason: expect.any(EventStoreUnavailableError) });
  // Together, and the first of them alone.
  expect(asked).toHaveBeenCalledTimes(2);
  asked.mockRestore();
  await store.close();
  await test.drop();
});

it('listens for a follower no longer than it follows', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  const listen = test.db.listen.bind(test.db);
  let listening = 0;
  jest.spyOn(test.db, 'listen').mockImplementation((...asked) => {
    const stop = listen(...asked);
    listening++;
    return () => {
      listening--;
      stop();
    };
  });
  const control = new AbortController();
  const { done } = collect(store.follow({ after: 0, maxBatch: 10, signal: control.signal }));
  await eventually(() => expect(listening).toBe(1));
  control.abort();
  await done;
  expect(listening).toBe(0);
  await store.close();
  await test.drop();
});

it('tells where an event stands by its id, within its workspace', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  const id = randomUUID();
  const { position } = await store.append('thing-ws_1:a', [happened(), happened(id)], -1);
  expect(await store.positionOf('ws_1', id)).toBe(position);
  expect(await store.positionOf('ws_2', id)).toBeUndefined();
  expect(await store.positionOf('ws_1', randomUUID())).toBeUndefined();
  expect(await store.positionOf('ws_1', 'not-a-uuid')).toBeUndefined();
  await store.close();
  await test.drop();
});

it('tells what stands in streams of a workspace and says to be of another, whatever the ids hold', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  const at: number[] = [];
  for (const [stream, workspace] of [
    ['thing-ws_1:a', 'ws_1'],
    ['thing-ws_1:b:c-d', 'ws_1'],
    ['thing-ws-2:ws_1', 'ws-2'],
    ['thing-ws-2:b', 'ws-2:b'],
    ['thing-ws_1:b', 'ws-2'],
  ] as const) {
    const event = happened();
    const own = { ...event, metadata: { ...event.metadata, workspace } };
    at.push((await store.append(stream, [own], -1)).position);
  }
  expect(await store.strangerIn('ws_1')).toMatchObject({ position: at[4] });
  expect(await store.strangerIn('ws-2')).toMatchObject({ position: at[3] });
  expect(await store.strangerIn('ws_3')).toBeUndefined();
  await store.close();
  await test.drop();
});

it('finds a stranger by its own index, however many events there are', async () => {
  const test = await testDatabase();
  const plan = await test.db.query<{ 'QUERY PLAN': string }>(`explain ${STRANGER.replace('$1', "'ws_1'")}`);
  expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toContain('using event_stranger');
  await test.drop();
});

it('tells the first event whose stream lacks the one before it', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  for (const id of ['a', 'b', 'c'])
    await store.append(`thing-ws_1:${id}`, [happened(), happened(), happened(), happened()], -1);
  const pages = async () => {
    const { events } = await store.readAll({ after: 0, limit: 20, workspace: 'ws_1' });
    return [events, events.filter(({ revision }) => revision > 1), events.slice(-1)] as const;
  };
  for (const events of await pages()) expect(await store.firstBehindGap(events)).toBeUndefined();
  await test.db.script("delete from log.event where stream <> 'thing-ws_1:a' and revision = 1");
  const [all, late, last] = await pages();
  for (const events of [all, late])
    expect(await store.firstBehindGap(events)).toMatchObject({ stream: 'thing-ws_1:b', revision: 2 });
  expect(await store.firstBehindGap(last)).toBeUndefined();
  await store.close();
  await test.drop();
});

it('reads from the beginning what was put before the first position too', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  await store.append('thing-ws_1:a', [happened(), happened()], -1);
  const least = '-9223372036854775808';
  await test.db.script(`update log.event set position = ${least} where revision = 1`);
  for (const workspace of [undefined, 'ws_1']) {
    const { events } = await store.readAll({ after: 0, limit: 10, ...(workspace && { workspace }) });
    expect(events.map(({ revision }) => revision)).toEqual([1, 0]);
  }
  await store.close();
  await test.drop();
});

it('goes back behind no position that it was asked to read after, though it has not come so far', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  await store.append('thing-ws_1:a', [happened()], -1);
  for (const whose of [{}, { workspace: 'ws_1' }, { workspace: 'ws_nobody' }])
    expect(await store.readAll({ after: 1_000, limit: 10, ...whose })).toMatchObject({ events: [], position: 1_000 });
  await store.close();
  await test.drop();
});

it('reads on behind an event of which somebody has put away what is known of it', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  await store.append('thing-ws_1:a', [happened(), happened()], -1);
  await test.db.script("update log.event set metadata = 'null', data = 'null' where revision = 0");
  const { events } = await store.readAll({ after: 0, limit: 10, workspace: 'ws_1' });
  expect(events.map(({ revision }) => revision)).toEqual([0, 1]);
  expect(await store.read('thing-ws_1:a')).toEqual(events);
  await store.close();
  await test.drop();
});

it('takes the appends of several processes by turns also where the database begins transactions in another isolation', async () => {
  const test = await testDatabase();
  const name = new URL(test.url).pathname.slice(1);
  await test.db.script(`alter database ${name} set default_transaction_isolation = 'repeatable read'`);
  const dbs = Array.from({ length: 3 }, () => new Database(test.url, { max: 2 }));
  const stores = dbs.map((db) => new PostgresEventStore(db));
  for (let round = 0; round < 20; round++)
    await Promise.all(stores.map((store) => store.append(`thing-ws_1:${randomUUID()}`, [happened()], -1)));
  expect(await stores[0]!.head()).toBe(60);
  for (const store of stores) await store.close();
  for (const db of dbs) await db.end();
  await test.drop();
});

it('keeps the plan of its reads, since planning one takes longer than running it', async () => {
  const test = await testDatabase();
  const db = new Database(test.url, { max: 1 });
  const store = new PostgresEventStore(db);
  await store.append('thing-ws_1:planned', [happened()], -1);
  // Of a log with many events, in which a read of several streams costs more than that of one.
  await db.script(
    `insert into log.event select 1 + n, n % 100, now(), gen_random_uuid(), 'thing-ws_1:' || n / 100, 'Happened', 'ws_1', '{}', '{}' from generate_series(1, 20000) n;
     analyze log.event`,
  );
  for (let n = 0; n < 20; n++) expect(await store.read('thing-ws_1:planned')).toHaveLength(1);
  const [plans] = await db.query<{ kept: number; anew: number }>(
    "select generic_plans as kept, custom_plans as anew from pg_prepared_statements where statement like '%wanted.no%' and statement not like '%generic_plans%'",
  );
  // PostgreSQL tries five before it keeps one.
  expect(plans).toEqual({ kept: 15, anew: 5 });
  await store.close();
  await db.end();
  await test.drop();
});

it('says that it is unavailable, and not that an append is refused, when the server ends it for the sake of another', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  const one = happened();
  await store.append('thing-ws_1:0', [happened()], -1);
  let ended: Promise<unknown> | undefined;
  await test.db.tx(async (other) => {
    await other.script("set local deadlock_timeout = '1min'; lock table log.event in access exclusive mode");
    ended = store.append('thing-ws_1:1', [one], -1).catch((error: unknown) => error);
    await eventually(async () =>
      expect(
        await test.db.query(
          "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
        ),
      ).toHaveLength(1),
    );
    // The two now wait for each other, and the one that looks first is ended.
    await other.query('select pg_advisory_xact_lock(7305010)');
  });
  expect(await ended).toBeInstanceOf(EventStoreUnavailableError);
  expect(await store.append('thing-ws_1:1', [one], -1)).toMatchObject({ revision: 0 });
  await store.close();
  await test.drop();
});
