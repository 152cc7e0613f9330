import { randomUUID } from 'node:crypto';
import type { EventStore } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { Database, migrate } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { OWN_NAME, switchPositions } from './switch-positions';
import { StoppedError } from './walk';

const metadata = {
  workspace: 'ws_1',
  actor: 'usr_1',
  correlationId: 'c',
  causationId: null,
  commandId: 'k',
  schemaVersion: 1,
  occurredAt: '2026-05-01T10:00:00.000Z',
};

describe('a switch of positions', () => {
  const ids = Array.from({ length: 3 }, () => randomUUID());
  let test: TestDatabase;
  let db: Database;
  let source: EventStore;
  let target: EventStore;
  beforeEach(async () => {
    test = await testDatabase();
    db = new Database(test.url, { name: OWN_NAME });
    [source, target] = [new MemoryEventStore(), new MemoryEventStore()];
    await target.append('thing-ws_9:foreign', [{ id: randomUUID(), type: 'Begun', data: {}, metadata }], -1);
    target = skippingFirst(target);
    for (const store of [source, target])
      for (const [n, id] of ids.entries())
        await store.append('thing-ws_1:a', [{ id, type: 'Begun', data: {}, metadata }], n - 1);
    await db.script(
      `insert into projector.checkpoint (name, version, shape, status, epoch, position) values ('outbox', 1, 'x', 'current', 1, 3)`,
    );
  });
  afterEach(async () => {
    await db.end();
    await test.drop();
  });

  /** Whose events stand a place later than in the source. */
  const skippingFirst = (store: EventStore): EventStore => ({
    ...store,
    append: (stream, events, expected) => store.append(stream, events, expected),
    head: () => store.head(),
    readAll: (options) => store.readAll({ ...options, after: Math.max(1, options.after) }),
  });
  const audit = async (...entries: string[]) => {
    await db.script('create table read.audit (position bigint, event_id uuid)');
    await db.query('insert into read.audit select * from unnest($1::bigint[], $2::uuid[])', [[1, 2, 3], entries]);
  };
  const position = async () => {
    const [outbox] = await db.query<{ position: number }>(
      "select position from projector.checkpoint where name = 'outbox'",
    );
    return outbox!.position;
  };

  it('is refused for a database that is not one of the source, and changes nothing there', async () => {
    await audit(ids[0]!, randomUUID(), ids[2]!);
    await expect(switchPositions(db, { source, target })).rejects.toThrow(
      'The database of --switch is not one of this source: at position 2 its audit log has another event.',
    );
    expect(await position()).toBe(3);
  });

  it('changes nothing when it is stopped before', async () => {
    await audit(...ids);
    await expect(switchPositions(db, { source, target, signal: AbortSignal.abort() })).rejects.toThrow(StoppedError);
    expect(await position()).toBe(3);
    expect(await db.query('select count(*)::int as entries from read.audit')).toEqual([{ entries: 3 }]);
  });

  it('is not taken for done because the outbox stands where the target ends', async () => {
    await db.script(`update projector.checkpoint set position = 4;
      create view read.audit as select 'ws_1'::text as workspace, 4::bigint as position, '${randomUUID()}'::uuid as event_id;
      create view read.audit_head as select workspace, position from read.audit`);
    await expect(switchPositions(db, { source, target })).rejects.toThrow(
      /^The database of --switch is not one of this/,
    );
  });

  it.each(['outbox', 'policies'])('is refused while %s has not read all of the source', async (name) => {
    await audit(...ids);
    await db.script(`insert into projector.checkpoint (name, version, shape, status, epoch, position)
        values ('policies', 1, 'x', 'current', 1, 3), ('posts', 1, 'x', 'current', 1, 2);
      update projector.checkpoint set position = 2 where name = '${name}'`);
    await expect(switchPositions(db, { source, target })).rejects.toThrow(
      `The projector has not told all of the source (${name} is at 2 of 3)`,
    );
    await db.script(`update projector.checkpoint set position = 3 where name = '${name}'`);
    expect(await switchPositions(db, { source, target })).toEqual({ isNew: true, events: 3 });
    expect(await position()).toBe(4);
  });

  it.each(['the source has one more', 'the target has one more', 'each has one of its own'])(
    'is refused when the logs do not go side by side: %s',
    async (which) => {
      const [mine, theirs] = [randomUUID(), randomUUID()];
      const one = async (store: EventStore, id: string) =>
        store.append('thing-ws_1:a', [{ id, type: 'Begun', data: {}, metadata }], ids.length - 1);
      if (!which.startsWith('the target')) await one(source, mine);
      if (!which.startsWith('the source')) await one(target, theirs);
      await db.query('update projector.checkpoint set position = $1', [await source.head()]);
      await audit(...ids);
      const first = which.startsWith('the target') ? theirs : mine;
      await expect(switchPositions(db, { source, target })).rejects.toThrow(
        `The logs do not go side by side: event 3 of thing-ws_1:a (${first}) has no place in the other`,
      );
      expect(await position()).toBe(await source.head());
    },
  );

  it('takes a log of any length', async () => {
    const many = Array.from({ length: 5_100 }, () => ({ id: randomUUID(), type: 'Begun', data: {}, metadata }));
    for (const store of [source, target]) await store.append('thing-ws_1:b', many, -1);
    await db.query('update projector.checkpoint set position = $1', [await source.head()]);
    await audit(...ids);
    expect(await switchPositions(db, { source, target })).toEqual({ isNew: true, events: ids.length + many.length });
    expect(await position()).toBe((await source.head()) + 1);
  });

  it('makes every place that the database remembers that of the same event, or of the last one before it', async () => {
    const id = randomUUID();
    const header = (place: string) => JSON.stringify({ ce_id: 'evt_1', 'postledger-position': place });
    await db.script(`
      create table read.audit_v1 (workspace text, position bigint, event_id uuid);
      insert into read.audit_v1 values ${ids.map((event, n) => `('ws_1', ${n + 1}, '${event}')`).join(', ')};
      create view read.audit as select * from read.audit_v1;
      create table read.posts_v1 (position bigint, created_position bigint);
      create table read.results_v2 (position bigint);
      insert into read.posts_v1 values (3, 1);
      insert into read.results_v2 values (2);
      insert into projector.audit_head values (1, 'ws_1', 3, 3, '', now(), 0);
      insert into projector.checkpoint (name, version, shape, status, epoch, position) values
        ('audit', 1, 'x', 'retired', 1, 2), ('audit', 2, 'x', 'current', 1, 3), ('audit', 3, 'x', 'building', 1, 1),
        ('posts', 1, 'x', 'current', 1, 7), ('results', 2, 'x', 'current', 1, 0);
      insert into projector.timer (key, target, kind, workspace, due_at, payload, cause, position, correlation_id)
        values ('k', 't', 'x', 'ws_1', now(), '{}', '${id}', 2, 'c');
      create table bus.any_message partition of bus.message default;
      insert into bus.message values (1, now(), 0, 't', 'k', 'evt_1', 'x', '${header('1.0')}', '{}'),
        (2, now(), 0, 't', 'k', 'evt_2', 'x', '{"other":"3.1"}', '{}');
      insert into bus.dead_letter (group_name, position, partition, topic, key, id, type, headers, value, reason)
        values ('g', 1, 0, 't', 'k', 'evt_1', 'x', '${header('3.12')}', '{}', 'r');
      insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version, enabled_after) values
        ('ws_1', 'whe_1', '{}', true, 'live', 1, 3, '[{"after":0,"all":[]},{"after":2,"all":["x"]},{"after":3,"all":[]}]', 1, 2),
        ('ws_1', 'whe_2', '{}', true, 'live', 2, -1, '[{"after":0,"all":[]}]', 1, 0);
      insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
        select '${id}', no, 1, 3, '${id}', '${id}', '${id}', 'x', 'k' from delivery.endpoint where id = 'whe_1';
      insert into delivery.inbox (position, index, created_at) values (3, 1, '2026-05-01');
      insert into delivery.fact (id, workspace, endpoint_id, kind, position, at, due_at, as_of)
        values ('${id}', 'ws_1', 'whe_1', 'gone', 1, now(), now(), 2), ('${randomUUID()}', 'ws_1', 'whe_1', 'gone', null, now(), now(), null);`);
    expect(await switchPositions(db, { source, target })).toEqual({ isNew: true, events: 3 });
    const all = (text: string) => db.query(text);
    expect(await all('select position, created_position from read.posts_v1')).toEqual([
      { position: 4, created_position: 2 },
    ]);
    expect(await all('select position from read.results_v2')).toEqual([{ position: 3 }]);
    expect(await all('select name, version, position from projector.checkpoint order by name, version')).toEqual([
      { name: 'audit', version: 1, position: 3 },
      { name: 'audit', version: 2, position: 0 },
      { name: 'audit', version: 3, position: 0 },
      { name: 'outbox', version: 1, position: 4 },
      { name: 'posts', version: 1, position: 4 },
      { name: 'results', version: 2, position: 0 },
    ]);
    expect(await all('select from read.audit_v1 union all select from projector.audit_head')).toEqual([]);
    expect(await all('select position from projector.timer')).toEqual([{ position: 3 }]);
    expect(
      await all('select headers from bus.message union all select headers from bus.dead_letter order by 1'),
    ).toEqual([{ headers: header('2.0') }, { headers: header('4.12') }, { headers: '{"other":"3.1"}' }]);
    expect(await all('select position, cursor, eras, enabled_after from delivery.endpoint order by id')).toEqual([
      {
        ...{ position: 2, cursor: 4, enabled_after: 3 },
        eras: [
          { after: 0, all: [] },
          { after: 3, all: ['x'] },
          { after: 4, all: [] },
        ],
      },
      { position: 3, cursor: -1, eras: [{ after: 0, all: [] }], enabled_after: 0 },
    ]);
    expect(await all('select position from delivery.delivery')).toEqual([{ position: 4 }]);
    expect(await all('select position, as_of from delivery.fact order by position')).toEqual([
      { position: 2, as_of: 3 },
      { position: null, as_of: null },
    ]);
    // What was handled comes again under its new place, when the bus was not told: it was killed, or the server crashed.
    expect(await all('select position, index from delivery.inbox order by position')).toEqual([
      { position: 3, index: 1 },
      { position: 4, index: 1 },
    ]);
  });

  it('says in a sentence what is wrong with the Kafka between, and not its password', async () => {
    await audit(...ids);
    await db.query("insert into bus.group_offset (group_name, partition, position) values ('relay', 0, 0)");
    const switched = (bus: string) => switchPositions(db, { source, target, bus });
    await expect(switched('kafka://me:hunter@2@h')).rejects.toThrow(
      /^kafka:\/\/h cannot be used: BUS_URL is not of the form/,
    );
    await expect(switched('kafka://me:hunter2@127.0.0.1:1')).rejects.toThrow(
      /^kafka:\/\/127\.0\.0\.1:1 cannot be used: Kafka does not answer: /,
    );
    expect(await position()).toBe(3);
  });

  it('is refused while an app is connected, whatever the address of its database calls it', async () => {
    const address = new URL(test.url);
    address.searchParams.set('application_name', 'mine');
    const app = new Database(address.href, { name: 'postledger api' });
    await app.query('select 1');
    await expect(switchPositions(db, { source, target })).rejects.toThrow('while nothing runs: stop api (mine) first.');
    await app.end();
  });

  it('holds up an app that is started meanwhile until it is over', async () => {
    await audit(...ids);
    const app = new Database(test.url, { name: 'postledger api' });
    const looker = new Database(test.url, { name: OWN_NAME });
    const isWaiting = async () =>
      (await looker.query("select from pg_locks where locktype = 'advisory' and not granted")).length > 0;
    let isLetIn = false;
    let starting: Promise<unknown> | undefined;
    const slow: EventStore = {
      ...source,
      head: () => source.head(),
      readAll: async (options) => {
        starting ??= migrate(app).then(() => (isLetIn = true));
        await eventually(async () => expect(isLetIn || (await isWaiting())).toBe(true));
        expect(isLetIn).toBe(false);
        return source.readAll(options);
      },
    };
    await switchPositions(db, { source: slow, target });
    await starting;
    expect(await position()).toBe(4);
    await looker.end();
    await app.end();
  });
});
