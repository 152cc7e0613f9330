import { binaryEvent, EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { eventStoreConformance, type OpenStore } from '../conformance/event-store.conformance';
import { sealingConformance } from '../conformance/sealing.conformance';
import { event } from '../conformance/support';
import { StoredLog } from './double/stored-log';
import { EventStoreDbDouble } from './double/eventstoredb-double';
import { EventStoreDbEventStore } from './eventstoredb-event-store';

/** A log as it is found in use: others write into the same store, streams have metadata, and the standard projections run. */
async function inUse(): Promise<StoredLog> {
  const log = new StoredLog({ projections: true });
  const double = await EventStoreDbDouble.start(log);
  const others = EventStoreDBClient.connectionString(double.url);
  for (let n = 0; n < 150; n++)
    await others.appendToStream(`invoice-${n % 7}`, [
      jsonEvent({ type: 'InvoiceSent', data: { n }, metadata: { by: 'somebody else' } }),
      binaryEvent({ type: 'Scanned', data: Buffer.from('no JSON') }),
    ]);
  await others.appendToStream('ünï "q"/…', [
    jsonEvent({ type: 'Ordered', data: [1], metadata: { commandId: 'c-1', $correlationId: 'x' } }),
    jsonEvent({ type: 'Ordered', data: 'text', metadata: 7 }),
    binaryEvent({ type: 'Scanned', data: Buffer.from([0, 255]), metadata: Buffer.from('{"commandId":') }),
  ]);
  const told = { commandId: 'c-2', workspace: 'ws_1', occurredAt: '2026-04-22T14:00:00.000Z' };
  for (const strange of [{ commandId: 7 }, { workspace: null }, { occurredAt: undefined }])
    await others.appendToStream('order-1', [
      jsonEvent({ type: 'Ordered', data: {}, metadata: { ...told, ...strange } }),
    ]);
  const realm = new EventStoreDbEventStore(double.url, { realm: 'another' });
  for (let n = 0; n < 20; n++) await realm.append('thing-ws_1:elsewhere', [event(`elsewhere/${n}`)], n - 1);
  await realm.close();
  await others.appendToStream('$$invoice-1', [jsonEvent({ type: '$metadata', data: { $maxCount: 10 } })]);
  await others.dispose();
  (await others['getChannel']()).close();
  const apps = new EventStoreDbEventStore(double.url);
  expect([(await apps.readAll({ after: 0, limit: 10 })).events, await apps.head()]).toEqual([[], 0]);
  await apps.close();
  await double.stop();
  return log;
}

const doubleOf = (log: () => Promise<StoredLog>) => async (): Promise<OpenStore> => {
  const double = await EventStoreDbDouble.start(await log());
  const store = new EventStoreDbEventStore(double.url);
  return {
    store,
    reopen: async () => new EventStoreDbEventStore(double.url),
    async close() {
      await store.close();
      await double.stop();
    },
  };
};

const alone = doubleOf(async () => new StoredLog());
eventStoreConformance('EventStoreDB (double)', alone);
eventStoreConformance('EventStoreDB (double in use by others, with projections)', doubleOf(inUse));
sealingConformance('EventStoreDB (double)', alone);

const url = process.env['ESDB_URL'];
if (url) {
  const node = async (): Promise<OpenStore> => {
    // The apps' suites read the same node, and do not know what things are.
    const realm = `conformance ${process.pid} ${Date.now()}`;
    const store = new EventStoreDbEventStore(url, { realm });
    return { store, reopen: async () => new EventStoreDbEventStore(url, { realm }), close: () => store.close() };
  };
  eventStoreConformance('EventStoreDB (ESDB_URL)', node);
  sealingConformance('EventStoreDB (ESDB_URL)', node);
}
