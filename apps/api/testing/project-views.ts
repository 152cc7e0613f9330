import { parseStream, type RecordedEvent } from '#event-store';
import type { Engines } from '#platform';
import { isOutage, OPEN, writeFenced } from '#postgres';
import { AuditTable, KeyedTable, keyedViews } from '#read-models';

/** Keeps the read models up to date for the tests of the api, as the projector app does it in earnest: one transaction a batch. */
export async function projectViews({
  db,
  store,
  wake,
}: {
  readonly db: Engines['db'];
  readonly store: Pick<Engines['store'], 'follow'>;
  readonly wake: Pick<Engines['wake'], 'local'>;
}): Promise<{ stop(): Promise<void> }> {
  const views = keyedViews.map((view) => ({
    name: view.name,
    category: view.category,
    table: new KeyedTable(view, `read.${view.name}_v1`),
  }));
  const audit = new AuditTable(1, 'read.audit_v1');
  for (const { table } of [...views, { table: audit }]) {
    await table.prepare(db);
    await table.publish(db);
  }
  const ended = new AbortController();
  const take = (events: readonly RecordedEvent[]): Promise<void> =>
    db.tx(async (sql) => {
      for (const { category, table } of views) {
        const own = events.filter(({ stream }) => parseStream(stream).category === category);
        if (own.length > 0) await writeFenced(sql, OPEN, await table.changes(sql, own));
      }
      if (events.length > 0) await writeFenced(sql, OPEN, await audit.changes(sql, events));
    });
  // A process that compiles for seconds says nothing meanwhile, so the server takes it for frozen and ends its transaction.
  const takeAtLast = async (events: readonly RecordedEvent[]): Promise<void> => {
    try {
      await take(events);
    } catch (error) {
      if (!isOutage(error) || ended.signal.aborted) throw error;
      for (const { table } of [...views, { table: audit }]) table.forget();
      await takeAtLast(events);
    }
  };
  const run = async () => {
    for await (const { events, position } of store.follow({ after: 0, maxBatch: 500, signal: ended.signal })) {
      await takeAtLast(events);
      for (const { name } of [...views, { name: 'audit' }]) wake.local('view_progress', `${name}:${position}`);
    }
  };
  const running = run();
  return {
    async stop() {
      ended.abort();
      await running;
    },
  };
}
