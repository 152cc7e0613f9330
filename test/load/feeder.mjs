// Appends events to the log in a process of its own, past the api: for figures that begin at the appended event.
// In: {databaseUrl, eventStoreUrl?, workspaces, count, callers, rate? (events a second of each caller)}. Out: {ready} when the log can be reached; then in: {go},
// out: {seconds, sent?}: with a rate, [postId, nanoseconds of the monotonic clock].
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { Database } = require('../../dist/libs/postgres/index.js');
const { PostgresEventStore } = require('../../dist/libs/event-store/postgres/postgres-event-store.js');

const TEXT = 'A post of usual length, with an emoji 🥐 and a link to https://example.com/menu. '.repeat(6);

process.once('message', async (job) => {
  const db = new Database(job.databaseUrl, { max: 4 });
  const store = job.eventStoreUrl ? eventStoreDb(job.eventStoreUrl) : new PostgresEventStore(db);
  await Promise.all(Array.from({ length: 4 }, () => store.head()));
  process.once('message', async () => {
    const fed = await feed(store, job);
    await store.close();
    await db.end();
    process.send(fed);
  });
  process.send({ ready: true });
});
process.on('disconnect', () => process.exit(0));

function eventStoreDb(url) {
  const { EventStoreDbEventStore } = require('../../dist/libs/event-store/eventstoredb/eventstoredb-event-store.js');
  return new EventStoreDbEventStore(url);
}

async function feed(store, { workspaces, count, callers = 64, rate }) {
  const at = new Date().toISOString();
  let issued = 0;
  const sent = rate && [];
  const started = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (issued < count) {
        const workspace = workspaces[issued++ % workspaces.length];
        const commandId = randomUUID();
        const postId = `pst_${commandId}`;
        const metadata = {
          workspace,
          actor: 'bench',
          correlationId: commandId,
          causationId: null,
          commandId,
          schemaVersion: 1,
          occurredAt: at,
        };
        const data = {
          postId,
          profileId: 'prof_bench',
          content: { text: TEXT, mediaIds: [] },
          destinations: [{ id: `dst_${commandId}`, accountId: 'acct_bench', platform: 'instagram' }],
          scheduledAt: '2031-01-01T00:00:00.000Z',
          campaignId: null,
        };
        sent?.push([postId, Number(process.hrtime.bigint())]);
        await store.append(
          `post-${workspace}:${postId}`,
          [{ id: randomUUID(), type: 'PostScheduled', data, metadata }],
          -1,
        );
        // After the last one too: a process that ends at once leaves its event to the followers' own look.
        if (rate) await new Promise((due) => setTimeout(due, 1000 / rate));
      }
    }),
  );
  return { seconds: (performance.now() - started) / 1000, sent };
}
