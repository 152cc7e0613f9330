import { randomUUID } from 'node:crypto';
import { Database } from '#postgres';
import { testDatabase } from '#testing';
import { eventStoreConformance, type OpenStore } from '../conformance/event-store.conformance';
import { sealingConformance } from '../conformance/sealing.conformance';
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

it('tells where an event stands by its id, within its workspace', async () => {
  const test = await testDatabase();
  const store = new PostgresEventStore(test.db);
  const id = randomUUID();
  const metadata = {
    workspace: 'ws_1',
    actor: 'usr_1',
    correlationId: 'cor_1',
    causationId: null,
    commandId: id,
    schemaVersion: 1,
    occurredAt: '2026-01-01T00:00:00.000Z',
  };
  const events = [
    { id: randomUUID(), type: 'Happened', data: {}, metadata },
    { id, type: 'Happened', data: {}, metadata },
  ];
  const { position } = await store.append('thing-ws_1:a', events, -1);
  expect(await store.positionOf('ws_1', id)).toBe(position);
  expect(await store.positionOf('ws_2', id)).toBeUndefined();
  expect(await store.positionOf('ws_1', randomUUID())).toBeUndefined();
  expect(await store.positionOf('ws_1', 'not-a-uuid')).toBeUndefined();
  await store.close();
  await test.drop();
});
