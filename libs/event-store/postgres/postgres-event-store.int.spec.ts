import { Database } from '#postgres';
import { testDatabase } from '#testing';
import { eventStoreConformance } from '../conformance/event-store.conformance';
import { PostgresEventStore } from './postgres-event-store';

eventStoreConformance('PostgreSQL', async () => {
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
});
