import { randomUUID } from 'node:crypto';
import { EventStoreDbDouble } from '#event-store/eventstoredb/double/eventstoredb-double';
import { EventStoreDbEventStore } from '#event-store/eventstoredb/eventstoredb-event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { testDatabase, type TestDatabase } from '#testing';
import { SettingsError } from './config/settings';
import { expectOwnLog } from './own-log';

const metadata = {
  workspace: 'ws_1',
  actor: 'usr_1',
  correlationId: 'c',
  causationId: null,
  commandId: 'k',
  schemaVersion: 1,
  occurredAt: '2026-05-01T10:00:00.000Z',
};

describe('a database and the log that it was built from', () => {
  const ids = Array.from({ length: 3 }, () => randomUUID());
  let test: TestDatabase;
  beforeEach(async () => void (test = await testDatabase()));
  afterEach(() => test.drop());

  const logOf = async (...events: string[]): Promise<MemoryEventStore> => {
    const store = new MemoryEventStore();
    for (const [n, id] of events.entries())
      await store.append('thing-ws_1:a', [{ id, type: 'Begun', data: {}, metadata }], n - 1);
    return store;
  };
  const remembers = (position: number, id: string) =>
    test.db.script(`create table read.audit (workspace text, position bigint, event_id uuid);
      create table read.audit_head (workspace text, position bigint);
      insert into read.audit values ('ws_1', ${position}, '${id}'), ('ws_2', 1, '${ids[0]!}');
      insert into read.audit_head values ('ws_2', 1), ('ws_1', ${position})`);
  const outboxAt = (position: number) =>
    test.db.script(
      `insert into projector.checkpoint (name, version, shape, status, epoch, position) values ('outbox', 1, 'x', 'current', 1, ${position})`,
    );

  it('belong together while the log has what the audit log ends with, however much has come since', async () => {
    await remembers(2, ids[1]!);
    await expect(expectOwnLog(test.db, await logOf(...ids))).resolves.toBeUndefined();
  });

  it('do not when the log is another one, or was set back', async () => {
    await remembers(3, ids[2]!);
    const other = expectOwnLog(test.db, await logOf(ids[0]!, ids[1]!, randomUUID()));
    await expect(other).rejects.toBeInstanceOf(SettingsError);
    await expect(other).rejects.toThrow(/^The log is not the one .* at position 3 it has another event\. Check EVENT_/);
    await expect(expectOwnLog(test.db, await logOf(ids[0]!, ids[1]!))).rejects.toThrow(
      'at position 3 it has no event.',
    );
  });

  it('are told apart by the place of the outbox while the audit log is empty, as after a move', async () => {
    await outboxAt(3);
    await expect(expectOwnLog(test.db, await logOf(...ids))).resolves.toBeUndefined();
    await expect(expectOwnLog(test.db, await logOf(ids[0]!))).rejects.toThrow('at position 3 it has no event.');
  });

  it('find each other for the first time when the database is new', async () => {
    await outboxAt(0);
    await expect(expectOwnLog(test.db, await logOf(...ids))).resolves.toBeUndefined();
  });

  it('are told apart in EventStoreDB too, where a place may be none', async () => {
    const double = await EventStoreDbDouble.start();
    const store = new EventStoreDbEventStore(double.url);
    const { position } = await store.append('thing-ws_1:a', [{ id: ids[0]!, type: 'Begun', data: {}, metadata }], -1);
    await remembers(position, ids[0]!);
    await expect(expectOwnLog(test.db, store)).resolves.toBeUndefined();
    await test.db.script(
      'update read.audit set position = position + 2; update read.audit_head set position = position + 2',
    );
    await expect(expectOwnLog(test.db, store)).rejects.toThrow(`at position ${position + 2} it has no event.`);
    await store.close();
    await double.stop();
  });
});
