import type { RecordedEvent } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { eventIdOf } from '#kernel';
import { OPEN, writeFenced } from '#postgres';
import { testDatabase, type TestDatabase } from '#testing';
import { AuditTable } from '../audit-table';
import { AuditQuery } from '../audit.query';

export interface Audited {
  readonly test: TestDatabase;
  readonly store: MemoryEventStore;
  readonly query: AuditQuery;
}

/** A database with the audit log of two workspaces, thirty entries each, and the log that it was made from. */
export async function audited(): Promise<Audited> {
  const test = await testDatabase();
  const store = new MemoryEventStore();
  const query = new AuditQuery(test.db);
  const events = await history(store, 30);
  const table = new AuditTable(1, 'read.audit_v1');
  await table.prepare(test.db);
  await table.publish(test.db);
  const apply = async (taken: readonly RecordedEvent[]) =>
    writeFenced(test.db, OPEN, await table.changes(test.db, taken));
  // In several batches, with what is remembered between them lost once.
  await apply(events.slice(0, 7));
  await apply(events.slice(7, 20));
  table.forget();
  await apply(events.slice(20));
  await test.db.query(
    "insert into projector.checkpoint (name, version, shape, status, position) values ('audit', 1, '1', 'current', $1)",
    [events.at(-1)!.position],
  );
  return { test, store, query };
}

/** Some posts' events in a store, half of them another workspace's. */
async function history(store: MemoryEventStore, posts: number): Promise<readonly RecordedEvent[]> {
  for (let n = 0; n < posts; n++) {
    const workspace = n % 2 === 0 ? 'ws_1' : 'ws_2';
    const commandId = `command ${n}`;
    const metadata = {
      workspace,
      actor: n % 3 === 0 ? 'usr_1' : 'key_1',
      correlationId: `c${n}`,
      causationId: null,
      commandId,
      schemaVersion: 1,
      // Every fifth comes from a clock that is two hours late.
      occurredAt: new Date(Date.UTC(2026, 4, 1, n % 5 === 4 ? 8 : 10, n)).toISOString(),
    };
    const events = ['PostScheduled', 'PostCancelled'].map((type, index) => ({
      id: eventIdOf(commandId, index),
      type,
      data: { postId: `pst_${n}`, text: 'Grüße, "Welt"\n=1+1', b: 1, a: [2, null] },
      metadata,
    }));
    await store.append(`post-${workspace}:pst_${n}`, events, -1);
  }
  return (await store.readAll({ after: 0, limit: 10_000 })).events;
}
