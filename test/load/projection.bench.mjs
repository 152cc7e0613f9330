// node test/load/projection.bench.mjs [events] [audit entries]: how fast views are rebuilt from the log, beside reading it and a bare batched
// insert, what the audit chain costs, and how long pages of the audit log take. A database of its own, removed at the end.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, install } from '../../apps/standalone/start.mjs';
import { cpuBelow } from './stage.mjs';

const BATCH = 5_000;
const TEXT = 'A post of usual length, with an emoji 🥐 and a link to https://example.com/menu. '.repeat(3);
const uuid = (name) => {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

/** The life of one post: five events. */
function lifeOf(n) {
  const [postId, destinationId, accountId, platform] = [
    `pst_${uuid(`p${n}`)}`,
    `dst_${uuid(`d${n}`)}`,
    `acct_${n % 50}`,
    'instagram',
  ];
  const on = { postId, destinationId, accountId, platform };
  const content = { text: TEXT, mediaIds: [] };
  const [platformPostId, url] = [`ig_${n}`, `https://instagram.example/p/${n}`];
  const outcomes = [{ destinationId, accountId, platform, ok: true, platformPostId, url, thisRound: true }];
  return [
    [
      'PostScheduled',
      {
        postId,
        profileId: `prof_${n % 20}`,
        content,
        destinations: [{ id: destinationId, accountId, platform }],
        scheduledAt: '2026-05-01T10:00:00.000Z',
        campaignId: null,
      },
    ],
    ['PostPublishingStarted', { postId }],
    ['DestinationDue', { ...on, attempt: 1, content }],
    ['DestinationPublished', { ...on, attempt: 1, platformPostId, url }],
    ['PostPublished', { postId, campaignId: null, published: 1, failed: 0, total: 1, round: 1, outcomes }],
  ].map(([type, data], revision) => ({ type, data, revision, postId, n }));
}

/** A log of `count` events, written straight into its table: each post's life is spread over some time, as in real use. */
async function fillLog(db, count, workspaces) {
  const posts = Math.ceil(count / 5);
  const events = [];
  let position = 0;
  const flush = async () => {
    const rows = events.splice(0);
    await db.query(
      `insert into log.event (position, revision, recorded_at, event_id, stream, type, workspace, data, metadata)
        select p, r, now(), i, s, t, w, d::json, m::json from unnest($1::bigint[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) e (p, r, i, s, t, w, d, m)`,
      [
        rows.map((it) => it.position),
        rows.map((it) => it.revision),
        rows.map((it) => it.id),
        rows.map((it) => it.stream),
        rows.map((it) => it.type),
        rows.map((it) => it.workspace),
        rows.map((it) => it.data),
        rows.map((it) => it.metadata),
      ],
    );
  };
  for (let step = 0; position < count; step++) {
    for (let revision = 0; revision < 5; revision++) {
      const n = step - revision * 300;
      if (n < 0 || n >= posts) continue;
      const { type, data, postId } = lifeOf(n)[revision];
      const workspace = `ws_${uuid(`w${n % workspaces}`)}`;
      const id = uuid(`e${n}-${revision}`);
      const occurredAt = new Date(Date.UTC(2026, 0, 1) + position * 1_000).toISOString();
      const actor = revision === 0 ? `usr_${n % 40}` : 'system';
      const metadata = {
        workspace,
        actor,
        commandId: id,
        schemaVersion: 1,
        occurredAt,
        $correlationId: `c_${uuid(`c${n}`)}`,
      };
      events.push({
        position: ++position,
        revision,
        id,
        stream: `post-${workspace}:${postId}`,
        type,
        workspace,
        data: JSON.stringify(data),
        metadata: JSON.stringify(metadata),
      });
      if (events.length === BATCH) await flush();
    }
  }
  await flush();
  await db.script('analyze log.event');
  return position;
}

const perSecond = async (count, work) => {
  const started = performance.now();
  await work();
  return Math.round((count / (performance.now() - started)) * 1_000);
};

async function readOnly(store) {
  for (let after = 0; ;) {
    const { events, position } = await store.readAll({ after, limit: 1_000 });
    if (events.length < 1_000) return;
    after = position;
  }
}

/** A fifth of the events as bare rows of the same size: what a view of posts would cost with no thought at all. */
async function bareInsert(db, rows) {
  await db.script('create table public.bare (workspace text, id text, state text, primary key (workspace, id))');
  for (let from = 0; from < rows; from += 1_000) {
    const ids = Array.from({ length: Math.min(1_000, rows - from) }, (_, n) => `pst_${uuid(`b${from + n}`)}`);
    const state = JSON.stringify({ text: TEXT, more: TEXT });
    await db.query('insert into public.bare select $1, i, s from unnest($2::text[], $3::text[]) r (i, s)', [
      'ws_1',
      ids,
      ids.map(() => state),
    ]);
  }
}

/** p50 and p99, in ms, of a hundred pages. */
async function pages(page) {
  const took = [];
  for (let n = 0; n < 100; n++) {
    const started = performance.now();
    await page(n);
    took.push(performance.now() - started);
  }
  took.sort((a, b) => a - b);
  return { p50: Number(took[50].toFixed(2)), p99: Number(took[98].toFixed(2)) };
}

/**
 * Of the processor time that a rebuild of the audit log takes, the database's included, the share of its chain: what the process spends less when
 * it makes no links and writes the data as it comes, against all that both spend. Both ways in turn; the median of three.
 */
async function chainShare(entries, json, server, rebuilt) {
  const { hashOf } = entries;
  const { canonicalJson } = json;
  const cost = async (link, write) => {
    entries.hashOf = link;
    json.canonicalJson = write;
    const before = { apps: process.cpuUsage(), database: cpuBelow(server.pid) };
    await rebuilt();
    const { user, system } = process.cpuUsage(before.apps);
    return { apps: (user + system) / 1e6, database: cpuBelow(server.pid) - before.database };
  };
  const shares = [];
  for (let run = 0; run < 3; run++) {
    const without = await cost(() => '0'.repeat(64), JSON.stringify);
    const chained = await cost(hashOf, canonicalJson);
    shares.push((chained.apps - without.apps) / (chained.apps + chained.database));
  }
  return Number(shares.sort((a, b) => a - b)[1].toFixed(3));
}

/** Rebuild rates and audit pages on `events` events; events a second. */
export async function measureProjections({ dist = '../../dist', events = 200_000, workspaces = 10 } = {}) {
  const require = createRequire(import.meta.url);
  const { Database, EmbeddedServer, migrate } = require(`${dist}/libs/postgres/index.js`);
  const { PostgresEventStore } = require(`${dist}/libs/event-store/postgres/postgres-event-store.js`);
  const { rebuildable } = require(`${dist}/apps/projector/projections/all-projections.js`);
  const { rebuild } = require(`${dist}/apps/projector/rebuild/rebuild.js`);
  const { AuditQuery, exportAudit, verifyAudit } = require(`${dist}/libs/read-models/index.js`);
  const folder = mkdtempSync(join(tmpdir(), 'postledger-projection-bench-'));
  const server = await EmbeddedServer.start({ folder });
  await server.ensureDatabase('bench');
  const db = new Database(server.url('bench'), { max: 6 });
  const store = new PostgresEventStore(db);
  try {
    await migrate(db);
    const count = await fillLog(db, events, workspaces);
    const named = (name) => rebuildable.find((projection) => projection.name === name);
    const result = { events: count };
    result.read = await perSecond(count, () => readOnly(store));
    result.bareInsert = await perSecond(count, () => bareInsert(db, count / 5));
    result.posts = await perSecond(count, () => rebuild({ db, store }, named('posts')));
    result.audit = await perSecond(count, () => rebuild({ db, store }, named('audit')));
    const audit = `${dist}/libs/read-models/audit`;
    result.chainShare = await chainShare(
      require(`${audit}/audit-entry.js`),
      require(`${audit}/canonical-json.js`),
      server,
      () => rebuild({ db, store }, named('audit')),
    );
    await db.script('analyze');
    const query = new AuditQuery(db);
    const workspace = `ws_${uuid('w0')}`;
    const page = (filters) => pages((n) => query.list(workspace, filters(n), { limit: 50 }));
    const hour = (n) => new Date(Date.UTC(2026, 0, 1) + ((n * 37) % 100) * count * 10).toISOString();
    result.pages = {
      newest: await page(() => ({})),
      actor: await page((n) => ({ actor: `usr_${n % 40}` })),
      action: await page(() => ({ action: 'PostPublished' })),
      entity: await page((n) => ({ entityType: 'post', entityId: `pst_${uuid(`p${n * workspaces}`)}` })),
      correlation: await page((n) => ({ correlationId: `c_${uuid(`c${n * workspaces}`)}` })),
      actorAndAction: await page((n) => ({ actor: `usr_${(n * workspaces) % 40}`, action: 'PostScheduled' })),
      time: await page((n) => ({ from: hour(n), to: new Date(Date.parse(hour(n)) + 3_600_000).toISOString() })),
      timeAndActor: await page((n) => ({ to: hour(n), actor: `usr_${(n * workspaces) % 40}` })),
    };
    result.export = await perSecond(count / workspaces, async () => {
      for await (const chunk of exportAudit(query, workspace, {}, 'ndjson'))
        if (chunk.length === 0) throw new Error('an empty chunk');
    });
    result.verify = await perSecond(count / workspaces, async () => {
      const verdict = await verifyAudit({ db, store }, workspace);
      if (!verdict.ok) throw new Error(JSON.stringify(verdict));
    });
    return result;
  } finally {
    await store.close();
    await db.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await install();
  await build();
  const result = await measureProjections({ events: Number(process.argv[2] ?? 200_000) });
  console.log(JSON.stringify(result, null, 2));
}
