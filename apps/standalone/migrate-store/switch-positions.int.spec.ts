import { randomUUID } from 'node:crypto';
import type { EventStore } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { Database, migrate } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { OWN_NAME, switchPositions } from './switch-positions';

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
