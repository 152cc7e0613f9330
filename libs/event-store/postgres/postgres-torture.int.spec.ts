import { setTimeout as pause } from 'node:timers/promises';
import { Database } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { collect, event, expectInOrder } from '../conformance/support';
import {
  EventStoreUnavailableError,
  NO_STREAM,
  type Appended,
  type EventStore,
  type NewEvent,
  type RecordedEvent,
} from '../port/event-store';
import { PostgresEventStore } from './postgres-event-store';

const PROCESSES = 4;
const WRITERS = 16;
const EVENTS_PER_WRITER = 150;

/** The server ends what waits in the middle of a transaction without a sign of life. */
const FOR_LONG = 'set local idle_in_transaction_session_timeout = 0';

describe('the log on PostgreSQL, tortured,', () => {
  let test: TestDatabase;
  let databases: Database[];
  let stores: PostgresEventStore[];

  beforeEach(async () => {
    test = await testDatabase();
    databases = Array.from({ length: PROCESSES }, () => new Database(test.url, { max: 4, name: 'writer' }));
    stores = databases.map((db) => new PostgresEventStore(db));
  });
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await Promise.all(databases.map((db) => db.end()));
    await test.drop();
  });

  it('loses, doubles and reorders nothing while connections are killed and a transaction elsewhere stays open', async () => {
    const other = await testDatabase();
    const open = await other.db.session();
    await open.script(`begin isolation level repeatable read; ${FOR_LONG}`);
    await open.query('create table held_open (id int)');
    const here = await test.db.session();
    await here.script(`begin isolation level repeatable read; ${FOR_LONG}`);
    await here.query('select pg_current_xact_id()');

    const control = new AbortController();
    const faults: Error[] = [];
    const follow = (after: number, n: number) =>
      collect(
        stores[n % PROCESSES]!.follow({
          after,
          maxBatch: [1_000, 50, 7, 300][n % 4]!,
          signal: control.signal,
          onFault: (error) => faults.push(error),
        }),
      );
    const followers = [0, 0, 0, 0].map((after, n) => ({ after, ...follow(after, n) }));

    const acknowledged = new Map<string, Appended>();
    let writing = true;
    const kills: Promise<boolean>[] = [];
    const onAcknowledged = (count: number) => void (count % 50 === 0 && kills.push(killOne(test.db)));
    const joining = (async () => {
      for (let n = 0; writing && n < 6; n++) {
        await pause(150);
        const after = Math.floor(Math.random() * (acknowledged.size + 1));
        followers.push({ after, ...follow(after, n) });
      }
    })();
    await Promise.all(
      Array.from({ length: WRITERS }, (_, n) => write(stores[n % PROCESSES]!, n, acknowledged, onAcknowledged)),
    );
    writing = false;
    await joining;
    expect((await Promise.all(kills)).filter(Boolean).length).toBeGreaterThan(5);
    await here.query('rollback');
    here.release();
    await open.query('rollback');
    open.release();
    await other.drop();

    const log = await wholeLog(stores[0]!);
    expect(log).toHaveLength(WRITERS * EVENTS_PER_WRITER + WRITERS);
    expect(log.map(({ position }) => position)).toEqual(log.map((_, index) => index + 1));
    expectInOrder(log);
    expect(new Set(log.map(({ id }) => id)).size).toBe(log.length);
    const byId = new Map(log.map((one) => [one.id, one]));
    for (const [id, { revision, position }] of acknowledged) expect(byId.get(id)).toMatchObject({ revision, position });
    await eventually(() => followers.forEach(({ after, events }) => expect(events).toHaveLength(log.length - after)), {
      within: 60_000,
    });
    control.abort();
    for (const { after, events, done } of followers) {
      await done;
      expect(events.map(({ id }) => id)).toEqual(log.slice(after).map(({ id }) => id));
    }
  });

  it('shows no event before one of a lower position, however the readers hurry', async () => {
    let writing = true;
    const seen: number[][] = stores.map(() => []);
    const readers = stores.map(async (store, n) => {
      for (let after = 0; writing || after < (await store.head());) {
        const page = await store.readAll({ after, limit: 10_000 });
        for (const { position } of page.events) seen[n]!.push(position);
        after = page.position;
      }
    });
    await Promise.all(Array.from({ length: WRITERS }, (_, n) => write(stores[n % PROCESSES]!, n, new Map())));
    writing = false;
    await Promise.all(readers);
    const all = Array.from({ length: WRITERS * EVENTS_PER_WRITER + WRITERS }, (_, index) => index + 1);
    for (const positions of seen) expect(positions).toEqual(all);
  });

  it('answers every caller of a batch whose connection dies that the store is unavailable, and the same append again with its place', async () => {
    const [db] = databases;
    const store = stores[0]!;
    const blocker = await test.db.session();
    await blocker.script(`begin; ${FOR_LONG}`);
    await blocker.query('select pg_advisory_xact_lock(7305010)');
    const appends = ['a', 'b', 'c'].map((name) => ({ stream: `thing-ws_1:${name}`, events: [event(`lost ${name}`)] }));
    const tries = appends.map(({ stream, events }) =>
      store.append(stream, events, NO_STREAM).catch((error: unknown) => error),
    );
    await eventually(async () => {
      const cut = await test.db.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'writer' and wait_event = 'advisory'",
      );
      expect(cut).toHaveLength(1);
    });
    for (const outcome of await Promise.all(tries)) expect(outcome).toBeInstanceOf(EventStoreUnavailableError);
    await blocker.query('rollback');
    blocker.release();
    const again = await Promise.all(appends.map(({ stream, events }) => store.append(stream, events, NO_STREAM)));
    expect(again.map(({ revision }) => revision)).toEqual([0, 0, 0]);
    expect(
      await Promise.all(
        appends.map(({ stream, events }) => new PostgresEventStore(db!).append(stream, events, NO_STREAM)),
      ),
    ).toMatchObject(again.map(({ revision, position }) => ({ revision, position, repeated: true })));
    expect(await store.head()).toBe(3);
  });

  it('fails the one append that PostgreSQL refuses, and not those that travelled with it', async () => {
    const store = stores[0]!;
    await store.append('thing-ws_1:first', [event('taken id')], NO_STREAM);
    const outcomes = await Promise.allSettled([
      store.append('thing-ws_1:x', [event('x')], NO_STREAM),
      store.append('thing-ws_1:elsewhere', [event('taken id')], NO_STREAM),
      store.append('thing-ws_1:y', [event('y')], NO_STREAM),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { constraint: 'event_event_id_key' } });
    expect((await wholeLog(store)).map(({ position }) => position)).toEqual([1, 2, 3]);
  });

  it('gives up on an answer that does not come, in time', async () => {
    const blocker = await test.db.session();
    await blocker.script(`begin; ${FOR_LONG}`);
    await blocker.query('select pg_advisory_xact_lock(7305010)');
    const hurried = new PostgresEventStore(databases[0]!, { deadlineMs: 100 });
    await expect(hurried.append('thing-ws_1:late', [event('late')], NO_STREAM)).rejects.toBeInstanceOf(
      EventStoreUnavailableError,
    );
    await blocker.query('rollback');
    blocker.release();
    await eventually(async () => expect(await hurried.read('thing-ws_1:late')).toHaveLength(1));
    expect(await stores[1]!.append('thing-ws_1:late', [event('late')], NO_STREAM)).toMatchObject({
      revision: 0,
      position: 1,
    });
  });

  it('says in one sentence that it cannot be reached', async () => {
    const nowhere = new Database('postgres://nobody@127.0.0.1:1/none', { max: 1 });
    await expect(new PostgresEventStore(nowhere).check()).rejects.toThrow(
      /^The event log on PostgreSQL does not answer: .*ECONNREFUSED/,
    );
    await nowhere.end();
  });

  it('stores the JSON text as it was given, with the names that EventStoreDB uses', async () => {
    const odd: NewEvent = { ...event('odd'), data: { b: 1, a: 1e21, text: 'line\nbreak\u2028' } };
    await stores[0]!.append(
      'thing-ws_1:odd',
      [{ ...odd, metadata: { ...odd.metadata, causationId: 'cause' } }],
      NO_STREAM,
    );
    const [row] = await test.db.query<{ data: string; correlation: string; causation: string }>(
      `select data::text, metadata->>'$correlationId' as correlation, metadata->>'$causationId' as causation from log.event where stream = 'thing-ws_1:odd'`,
    );
    expect(row).toEqual({ data: JSON.stringify(odd.data), correlation: 'correlation-1', causation: 'cause' });
    await expect(stores[0]!.append('thing-ws_1:two\nlines', [event('two lines')], NO_STREAM)).rejects.toBeInstanceOf(
      RangeError,
    );
  });
});

/** Appends to two streams of its own, one to three events at a time; tries again whenever the store was unavailable. */
async function write(
  store: EventStore,
  writer: number,
  acknowledged: Map<string, Appended>,
  onAcknowledged?: (count: number) => void,
): Promise<void> {
  const append = async (stream: string, events: NewEvent[], expected: number) => {
    for (let tries = 0; ; tries++) {
      try {
        const appended = await store.append(stream, events, expected);
        acknowledged.set(events.at(-1)!.id, appended);
        onAcknowledged?.(acknowledged.size);
        return;
      } catch (error) {
        if (!(error instanceof EventStoreUnavailableError) || tries > 500) throw error;
        await pause(5);
      }
    }
  };
  await append(`hello-ws_1:${writer}`, [event(`hello ${writer}`)], NO_STREAM);
  for (let n = 0; n < EVENTS_PER_WRITER;) {
    const size = Math.min(1 + ((n + writer) % 3), EVENTS_PER_WRITER - n);
    const events = Array.from({ length: size }, (_, index) => event(`${writer}.${n + index}`));
    await append(`thing-ws_1:${writer}`, events, n - 1);
    n += size;
  }
}

/** Kills a backend of the writers or their listeners, any; false when there was none. */
async function killOne(db: Database): Promise<boolean> {
  const killed = await db.query(
    "select pg_terminate_backend(pid) from (select pid from pg_stat_activity where application_name in ('writer', 'postledger listener') and datname = current_database() order by random() limit 1)",
  );
  return killed.length > 0;
}

async function wholeLog(store: EventStore): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let after = 0; ;) {
    const page = await store.readAll({ after, limit: 777 });
    events.push(...page.events);
    after = page.position;
    if (page.events.length < 777) return events;
  }
}
