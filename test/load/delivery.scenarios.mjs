// Delivery beside what might disturb it: endpoints that hang, a second process, a long backlog.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deliveries, feed, sql, untilLive } from './scenarios.mjs';
import { percentile, tenants, until } from './stage.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const WORKSPACES = 10;
const ENDPOINTS_OF_EACH = 100;
const HANGING_OF_EACH = 5;

/** Ten workspaces with a hundred endpoints each; `fickle` ones are those that will hang. */
async function thousandEndpoints({ system, receiver }) {
  const run = Date.now();
  const made = await tenants(system, WORKSPACES);
  for (const [w, { key }] of made.entries())
    await Promise.all(
      Array.from({ length: ENDPOINTS_OF_EACH }, (_, i) =>
        system.call(
          'POST',
          '/webhooks/endpoints',
          {
            targetUrl: receiver.url(`${i < HANGING_OF_EACH ? 'fickle' : 'firm'}-${run}-${w}-${i}`),
            eventTypes: ['post.scheduled'],
            contract: 'core',
          },
          key,
        ),
      ),
    );
  await untilLive(
    system,
    made.map(({ workspace }) => workspace),
    WORKSPACES * ENDPOINTS_OF_EACH,
  );
  return made;
}

const FIRM = WORKSPACES * (ENDPOINTS_OF_EACH - HANGING_OF_EACH);

/** Rate of the firm endpoints while events come as fast as they can, then their latency at 1,000 deliveries a second. */
async function firmOnes({ system, receiver, count }, workspaces) {
  const events = Math.max(50, Math.ceil(count / ENDPOINTS_OF_EACH / WORKSPACES) * WORKSPACES);
  const expected = (events * FIRM) / WORKSPACES;
  await receiver.reset();
  const { started } = await feed({ databaseUrl: system.databaseUrl, workspaces, count: events });
  await until(`${expected} deliveries`, async () => (await receiver.facts()).firm >= expected);
  const rate = expected / ((performance.now() - started) / 1000);

  await receiver.reset(true);
  const { sent } = await feed({ databaseUrl: system.databaseUrl, workspaces, count: 50, callers: 1, rate: 10 });
  const awaited = (50 * FIRM) / WORKSPACES;
  await until(`${awaited} deliveries`, async () => (await receiver.facts()).firm >= awaited);
  const at = new Map(sent);
  const took = (await receiver.arrivals())
    .filter(([, , path]) => path.startsWith('/firm'))
    .map(([id, arrived]) => (arrived - at.get(id)) / 1e6)
    .sort((a, b) => a - b);
  await receiver.reset(false);
  return { rate, p50: percentile(took, 50), p99: percentile(took, 99) };
}

/** A thousand endpoints of which fifty hang: the rate that the others keep, and their p99 without and with them. */
export async function thousand(stage) {
  const made = await thousandEndpoints(stage);
  const workspaces = made.map(({ workspace }) => workspace);
  const healthy = await firmOnes(stage, workspaces);
  await stage.receiver.hang(true);
  const hanging = await firmOnes(stage, workspaces);
  await stage.receiver.hang(false);
  await Promise.all(made.map(({ key }) => removeEndpoints(stage, key)));
  return {
    value: hanging.rate / healthy.rate,
    healthy: healthy.rate,
    hanging: hanging.rate,
    'p50 healthy': healthy.p50,
    'p50 hanging': hanging.p50,
    'p99 healthy': healthy.p99,
    'p99 hanging': hanging.p99,
  };
}

async function removeEndpoints({ system }, key) {
  const { data } = await system.call('GET', '/webhooks/endpoints?limit=100', undefined, key);
  await Promise.all(data.map(({ id }) => system.call('DELETE', `/webhooks/endpoints/${id}`, undefined, key)));
}

/** A second delivery process against the same database shares the work: how many deliveries come twice. */
export async function twoProcesses({ system, receiver, count }) {
  const second = spawn(process.execPath, [join(root, 'dist/apps/delivery/main.js')], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      DATA_DIR: system.dataDir,
      DATABASE_URL: system.databaseUrl,
      POSTLEDGER_MODE: 'sandbox',
      LOG_LEVEL: 'warn',
      PORT: '0',
    },
  });
  try {
    await until('two workers', async () => (await sql(system, 'select 1 from delivery.worker')).length === 2);
    await until('the partitions shared', async () => {
      const rows = await sql(
        system,
        "select distinct owner from bus.group_offset where group_name = 'delivery' and owner is not null",
      );
      return rows.length === 2;
    });
    const run = Date.now();
    const targets = await tenants(system, 10, receiver, (i) => `two-${run}-${i}`);
    const workspaces = targets.map(({ workspace }) => workspace);
    await untilLive(system, workspaces, 10);
    await receiver.reset(true);
    const { started } = await feed({ databaseUrl: system.databaseUrl, workspaces, count });
    await until('every attempt recorded', async () => {
      const [{ n }] = await sql(
        system,
        `select count(*)::int as n from delivery.attempt a join delivery.delivery d on d.id = a.delivery_id
         join delivery.endpoint e on e.no = d.endpoint where e.workspace = any($1)`,
        [workspaces],
      );
      return n >= count;
    });
    const rate = count / ((performance.now() - started) / 1000);
    const own = (await receiver.arrivals()).filter(([, , path]) => path.startsWith(`/two-${run}`));
    await receiver.reset(false);
    const different = new Set(own.map(([id, , path]) => `${path} ${id}`)).size;
    if (different < count) throw new Error(`${count - different} of ${count} deliveries did not come`);
    return { value: own.length - different, 'deliveries/s': rate };
  } finally {
    second.kill('SIGTERM');
    await new Promise((done) => (second.exitCode === null ? second.once('exit', done) : done()));
  }
}

const BACKLOG = 1_000_000;

/** Live deliveries beside a million retries of another endpoint that wait for their time: the rate they keep, and scans of the backlog. */
export async function backlog(stage) {
  const { system, receiver } = stage;
  const live = deliveries(10);
  const { value: alone } = await live(stage);
  const [away] = await tenants(system, 1, receiver, () => `away-${Date.now()}`);
  const [{ no }] = await untilRow(system, 'select no from delivery.endpoint where workspace = $1', [away.workspace]);
  await sql(
    system,
    `insert into delivery.retry (delivery_id, endpoint, due_at, sequence)
     select gen_random_uuid(), $1, now() + interval '1 hour' + n * interval '10 milliseconds', n from generate_series(1, $2::integer) n`,
    [no, BACKLOG],
  );
  await sql(system, 'analyze delivery.retry');
  const scans = async () =>
    Number(
      (await sql(system, "select seq_scan as n from pg_stat_user_tables where relid = 'delivery.retry'::regclass"))[0]
        .n,
    );
  const before = await scans();
  const { value: beside } = await live(stage);
  const scanned = (await scans()) - before;
  const plan = await sql(
    system,
    'explain (analyze, costs off, timing off, summary off) select r.delivery_id from delivery.retry r where r.endpoint = $1 and r.due_at <= now() order by r.due_at limit 200',
    [no],
  );
  await sql(system, 'delete from delivery.retry where endpoint = $1', [no]);
  await sql(system, 'vacuum delivery.retry');
  if (scanned > 0) throw new Error(`the backlog was scanned ${scanned} times`);
  return { value: beside / alone, alone, beside, scans: scanned, plan: plan.map((row) => row['QUERY PLAN'].trim()) };
}

async function untilRow(system, text, params) {
  let rows = [];
  await until('a row', async () => (rows = await sql(system, text, params)).length > 0);
  return rows;
}
