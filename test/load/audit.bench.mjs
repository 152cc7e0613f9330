// node test/load/audit.bench.mjs [entries]: pages of an audit log of five million entries over HTTP, by every filter and by several at once, with
// the plans behind them, and its export. The history is generated straight into the view's table, in a database of its own that is removed at the end.
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { createGunzip } from 'node:zlib';
import { build, install } from '../../apps/standalone/start.mjs';
import { KEY, openSystem } from './stage.mjs';

const STEP = 250_000;
/** The log of the system itself has a few events, below. */
const FIRST = 1_000;

/** Five entries to a thing: seven in ten are of posts; actors, actions and correlations as uneven as they come. */
const history = (
  table,
) => `insert into ${table} (workspace, position, event_id, at, latest, action, entity_type, entity_id, actor, correlation_id,
    causation_id, revision, data, hash, previous_hash)
  select workspace, position, gen_random_uuid(), latest - late, latest, actions[1 + step], noun,
    case noun when 'team' then workspace when 'subscription' then workspace when 'region' then 'region_' || thing % 3 else left(noun, 3) || '_' || md5(thing::text) end,
    case when step > 0 and noun <> 'team' then 'system' when thing % 3 = 0 then 'key_service' else 'usr_' || (hashint8(thing) & 31) end,
    case when thing % 25 = 3 then 'nightly-import' else 'c_' || md5('c' || thing) end,
    case when step > 0 then md5('e' || position) end, step, data, sha256(position::text::bytea), sha256((position - 1)::text::bytea)
  from (
    select $1::bigint + n as position, n / 5 as thing, (n % 5)::int as step,
      case when hashint8(n / 5) & 15 < 13 then $4 else 'ws_other_' || (n / 5) % 9 end as workspace,
      timestamptz '2026-01-01T00:00:00Z' + n * interval '5 seconds' as latest,
      case when n % 211 = 0 then interval '20 minutes' else interval '0' end as late,
      '{"text":"' || repeat('A post of usual length, with an emoji and a link. ', (n % 5 = 0)::int * 5 + 1) || '","n":' || n || ',"of":["' || md5(n::text) || '"]}' as data
    from generate_series($2::bigint, $3::bigint) n
  ) e cross join lateral (
    select (array['post','post','post','post','post','post','post','operation','media','account','campaign','design','team','subscription','region','content'])[
      case when thing % 10 < 7 then 1 else 8 + (thing / 10 + thing) % 9 end] as noun
  ) of cross join lateral (
    select case noun
      when 'post' then array['PostScheduled','PostPublishingStarted','DestinationDue','DestinationPublished','PostPublished']
      when 'operation' then array['OperationStarted','OperationProgressed','OperationProgressed','OperationProgressed','OperationCompleted']
      when 'team' then array['MemberInvited','MemberJoined','RoleChanged','RoleChanged','RoleChanged']
      when 'subscription' then array['PaymentSucceeded','PaymentSucceeded','PaymentSucceeded','PaymentFailed','PaymentSucceeded']
      when 'campaign' then array['CampaignCreated','CampaignPostJoined','CampaignPostConfirmed','CampaignClosed','CampaignCompleted']
      when 'region' then array_fill('RegionPerformanceUpdated'::text, array[5])
      else array[initcap(noun) || 'Added', initcap(noun) || 'Changed', initcap(noun) || 'Changed', initcap(noun) || 'Moved', initcap(noun) || 'Done'] end as actions
  ) did`;

async function fill(db, table, workspace, entries) {
  for (let from = 0; from < entries; from += STEP)
    await db.query(history(table), [FIRST, from, Math.min(entries, from + STEP) - 1, workspace]);
  // Something one person did once, at the very beginning.
  await db.query(
    `update ${table} set action = 'SubscriptionCancelled', actor = 'usr_3', entity_type = 'subscription' where workspace = $1 and position =
    (select min(position) from ${table} where workspace = $1 and position >= $2)`,
    [workspace, FIRST],
  );
}

const round = (value) => Number(value.toPrecision(3));
const seconds = async (work) => {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1_000;
};

/** What one page asks for; what varies does so with n. */
const pagesOf = ({ entries, some }) => {
  const time = (share) => new Date(Date.UTC(2026, 0, 1) + share * entries * 5_000).toISOString();
  const cursor = (share) => Buffer.from(`p${FIRST + Math.floor(share * entries)}`).toString('base64url');
  const thing = (n) => some[n % some.length];
  const later = (n) => ((n * 37) % 100) / 100;
  const hour = (n) => ({ from: time(later(n)), to: new Date(Date.parse(time(later(n))) + 3_600_000).toISOString() });
  return {
    nothing: () => ({}),
    'nothing, deep': (n) => ({ cursor: cursor(later(n)) }),
    actor: (n) => ({ actor: `usr_${n % 32}` }),
    'actor, deep': (n) => ({ actor: `usr_${n % 32}`, cursor: cursor(later(n)) }),
    'actor system': () => ({ actor: 'system' }),
    action: () => ({ action: 'PostPublished' }),
    'action, 200 a page': () => ({ action: 'PostPublished', limit: 200 }),
    'action, once, long ago': () => ({ action: 'SubscriptionCancelled' }),
    entityType: () => ({ entityType: 'post' }),
    'entityType, deep': (n) => ({ entityType: 'team', cursor: cursor(later(n)) }),
    entityId: (n) => ({ entityId: thing(n).entity_id }),
    'entityType, entityId': (n) => ({ entityType: thing(n).entity_type, entityId: thing(n).entity_id }),
    'entityId of the team': () => ({ entityType: 'team', entityId: some.workspace }),
    correlationId: (n) => ({ correlationId: thing(n).correlation_id }),
    'correlationId of an import': () => ({ correlationId: 'nightly-import' }),
    'an hour': hour,
    from: (n) => ({ from: time(later(n)) }),
    to: (n) => ({ to: time(later(n)) }),
    'actor, action': (n) => ({ actor: `usr_${n % 32}`, action: 'PostScheduled' }),
    'actor, action, once': () => ({ actor: 'usr_3', action: 'SubscriptionCancelled' }),
    'actor, action, never': () => ({ actor: 'system', action: 'PostScheduled' }),
    'actor, entityType': (n) => ({ actor: `usr_${n % 32}`, entityType: 'team' }),
    'action, entityType, never': () => ({ action: 'PostPublished', entityType: 'team' }),
    'actor, an hour': (n) => ({ actor: `usr_${n % 32}`, ...hour(n) }),
    'action, an hour': (n) => ({ action: 'PostPublished', ...hour(n) }),
    'actor, entityType, action, to': (n) => ({
      actor: 'system',
      entityType: 'post',
      action: 'PostPublished',
      to: time(later(n)),
    }),
    'actor, team': (n) => ({ actor: `usr_${n % 32}`, entityId: some.workspace }),
    'actor, team, never': () => ({ actor: 'system', entityId: some.workspace }),
    'actor, import': (n) => ({ actor: `usr_${n % 32}`, correlationId: 'nightly-import' }),
    'action, import, never': () => ({ action: 'SubscriptionCancelled', correlationId: 'nightly-import' }),
    'entityId, import': (n) => ({ entityId: thing(n).entity_id, correlationId: 'nightly-import' }),
    all: (n) => ({
      actor: 'system',
      action: thing(n).action,
      entityType: thing(n).entity_type,
      entityId: thing(n).entity_id,
      correlationId: thing(n).correlation_id,
      ...hour(n),
    }),
  };
};

/** A database that also keeps the plans of what it is asked. */
const explaining = (db, plans) => ({
  inWorkspace: (workspace) => ({
    query: async (text, params) => {
      const explain = `explain (analyze, costs off, timing off, summary off, buffers off) ${text}`;
      const rows = await db.inWorkspace(workspace).query(explain, params);
      plans.push(rows.map((row) => row['QUERY PLAN']));
      return db.inWorkspace(workspace).query(text, params);
    },
  }),
});

/** An answer as it comes, its bytes thrown away: entries, and how much came over the wire. */
function drain(url, headers, agent) {
  return new Promise((done, fail) => {
    request(url, { headers: { authorization: `Bearer ${KEY}`, ...headers }, agent }, (answer) => {
      let [lines, bytes, last] = [0, 0, ''];
      const zipped = answer.headers['content-encoding'] === 'gzip';
      answer.on('data', (chunk) => (bytes += chunk.length));
      (zipped ? answer.pipe(createGunzip()) : answer)
        .on('data', (chunk) => {
          for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
          last = chunk;
        })
        .on('error', fail)
        .on('end', () =>
          answer.statusCode === 200 ? done({ lines, bytes }) : fail(new Error(`${answer.statusCode} ${last}`)),
        );
    })
      .on('error', fail)
      .end();
  });
}

/** Figures of an audit log of `entries` entries; `print` takes lines. */
export async function measureAudit({
  dist = '../../dist',
  entries = 5_000_000,
  pages = 200,
  print = console.log,
} = {}) {
  const require = createRequire(import.meta.url);
  const { Database } = require(`${dist}/libs/postgres/index.js`);
  const { AuditQuery, AuditTable } = require(`${dist}/libs/read-models/index.js`);
  const system = await openSystem();
  const db = new Database(system.databaseUrl, { max: 2 });
  const agent = new Agent({ keepAlive: true });
  const result = { entries, pages: {}, export: {} };
  try {
    const [{ workspace }] = await db.query('select workspace from api.key limit 1');
    const [{ version }] = await db.query(
      "select version from projector.checkpoint where name = 'audit' and status = 'current'",
    );
    const table = `read.audit_v${version}`;
    const indexes = await db.query(
      "select indexname as name from pg_indexes where schemaname = 'read' and tablename = $1 and indexname <> $1 || '_pkey'",
      [`audit_v${version}`],
    );
    await db.script(indexes.map(({ name }) => `drop index read.${name}`).join(';'));
    result.fillSeconds = round(await seconds(() => fill(db, table, workspace, entries)));
    const index = async () => {
      for (const make of new AuditTable(version, table).indexes) await db.script(make);
    };
    result.indexSeconds = round(await seconds(index));
    await db.script(`vacuum analyze ${table}`);
    const sizes = await db.query(
      "select relname as name, pg_relation_size(oid) as bytes from pg_class where relname like $1 || '%' order by 1",
      [`audit_v${version}`],
    );
    print(`${entries} entries, filled in ${result.fillSeconds} s, indexed in ${result.indexSeconds} s`);
    print(sizes.map(({ name, bytes }) => `${name} ${Math.round(bytes / 2 ** 20)} MiB`).join(', '));
    const some = await db.query(
      `select entity_type, entity_id, correlation_id, action from ${table} tablesample system (${Math.min(100, 500_000 / entries)}) repeatable (1)
        where workspace = $1 and entity_type = 'post' and actor = 'system' limit 500`,
      [workspace],
    );
    some.workspace = workspace;
    const plans = [];
    const query = new AuditQuery(explaining(db, plans));
    for (const [name, of] of Object.entries(pagesOf({ entries, some }))) {
      const took = [];
      let found = 0;
      for (let n = 0; n < pages; n++) {
        const started = performance.now();
        const search = new URLSearchParams(of(n));
        const body = await new Promise((done, fail) => {
          request(
            `${system.url}/api/v1/audit-log?${search}`,
            { headers: { authorization: `Bearer ${KEY}` }, agent },
            (answer) => {
              const chunks = [];
              answer.on('data', (chunk) => chunks.push(chunk)).on('end', () => done(Buffer.concat(chunks)));
            },
          )
            .on('error', fail)
            .end();
        });
        took.push(performance.now() - started);
        if (n === 0) found = JSON.parse(body).data?.length ?? JSON.stringify(body);
      }
      took.sort((a, b) => a - b);
      const [p50, p99, max] = [took[pages >> 1], took[Math.floor(pages * 0.99) - 1], took.at(-1)].map(round);
      result.pages[name] = { p50, p99, max, found };
      print(
        `${p99 <= 20 ? ' ' : '!'} ${name.padEnd(30)} p50 ${String(p50).padStart(6)}  p99 ${String(p99).padStart(6)}  max ${String(max).padStart(6)} ms  ${found} found`,
      );
      plans.length = 0;
      const { limit = 50, cursor, ...filters } = of(1);
      await query.list(workspace, filters, { limit, cursor });
      print(
        plans
          .at(-1)
          .filter((line) => /Scan|Sort|Append|Join|Aggregate/.test(line))
          .slice(0, 6)
          .map((line) => `      ${line.trim()}`)
          .join('\n'),
      );
    }
    for (const [name, search, headers] of [
      ['ndjson', 'format=ndjson', {}],
      ['csv', 'format=csv', {}],
      ['ndjson, gzip', 'format=ndjson', { 'accept-encoding': 'gzip' }],
      ['ndjson, actor system', 'format=ndjson&actor=system', {}],
      ['csv, entityType post', 'format=csv&entityType=post', {}],
    ]) {
      const before = system.cpu();
      const rss = [system.rss()];
      const timer = setInterval(() => rss.push(system.rss()), 200);
      const started = performance.now();
      const { lines, bytes } = await drain(`${system.url}/api/v1/audit-log/export?${search}`, headers, agent);
      const took = (performance.now() - started) / 1_000;
      clearInterval(timer);
      const after = system.cpu();
      const figure = {
        perSecond: Math.round(lines / took),
        entries: lines,
        wireMiB: round(bytes / 2 ** 20),
        rssMiB: [rss[0], Math.max(...rss.slice(0, rss.length >> 1)), Math.max(...rss)].map((each) =>
          Math.round(each / 2 ** 20),
        ),
        appsMicros: round(((after.apps - before.apps) * 1e6) / lines),
        databaseMicros: round(((after.database - before.database) * 1e6) / lines),
      };
      result.export[name] = figure;
      print(
        `${figure.perSecond >= 50_000 ? ' ' : '!'} export ${name.padEnd(22)} ${figure.perSecond} entries/s  ${lines} entries, ${figure.wireMiB} MiB, RSS before ${figure.rssMiB[0]}, first half ${figure.rssMiB[1]}, at most ${figure.rssMiB[2]} MiB; apps ${figure.appsMicros} µs, database ${figure.databaseMicros} µs an entry`,
      );
    }
    return result;
  } finally {
    agent.destroy();
    await db.end();
    await system.close();
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await install();
  await build();
  await measureAudit({ entries: Number(process.argv[2] ?? 5_000_000) });
}
