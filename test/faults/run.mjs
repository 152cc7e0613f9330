// npm run faults: everything that can go wrong beneath the apps does, and then everything is counted. --help says more.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { build, checkNode, install } from '../../apps/standalone/start.mjs';
import { openEngines } from './engines.mjs';
import * as proof from './proof.mjs';
import { randomOf } from './random.cjs';
import { openReceiver } from './receiver.mjs';
import { dist, openDatabase, openStage, root } from './stage.mjs';
import { storm } from './storm.mjs';
import { Traffic } from './traffic.mjs';

const HELP = `npm run faults [-- options]

  --seed n         what happens, and when, as far as a seed can say (a random one)
  --seconds n      how long the storm lasts (40)
  --crashes        PostgreSQL too: crashed, frozen, and everything killed at once
  --kafka          on Apache Kafka, which is killed and frozen
  --store          on the double of EventStoreDB, which is frozen and cut off
  --strikes a,b    only these strikes (test/faults/storm.mjs)
  --calm           requests to the engines are neither slow nor cut
  --help           this text

The whole system, two processes of each app, under a mixed load and a churn of endpoints, while requests to the engines are slow, fail or lose
their answers, and processes and engines are killed and frozen. Then a ledger is held against everything that is left. Ends with 1 and a sentence for
each thing that does not hold; the logs are in .cache/faults. Loopback only.
`;
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    seconds: { type: 'string', default: '40' },
    crashes: { type: 'boolean', default: false },
    kafka: { type: 'boolean', default: false },
    store: { type: 'boolean', default: false },
    strikes: { type: 'string' },
    calm: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
checkNode();
await install();
await build();
const { seed } = values;
const SETTLE_MS = 120_000;
const READY_MS = 90_000;
const HEALTHY_MS = 60_000;
const PROGRESS_MS = 10_000;

const cache = join(root, '.cache/faults');
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, `seed-${seed}-`));
const { Database } = dist('libs/postgres/index.js');
const { PostgresEventStore } = dist('libs/event-store/postgres/postgres-event-store.js');
const { EventStoreDbEventStore } = dist('libs/event-store/eventstoredb/eventstoredb-event-store.js');
const { messagesOf } = dist('libs/public-messages/index.js');

const database = await openDatabase(join(folder, 'postgres'));
const engines = await openEngines(values, database);
const stage = await openStage({
  seed,
  folder,
  database,
  env: engines.env,
  faults: values.calm ? { some: 0, long: 0, cut: 0 } : weather(randomOf(seed, 'weather')),
});
const { say } = stage;
const dice = (what) => randomOf(seed, what);
const receiver = await openReceiver(dice('receiver'));
const db = new Database(database.url, { max: 4, name: 'faults' });
const query = (text, params) => db.query(text, params);
const store = engines.env.EVENT_STORE_URL
  ? new EventStoreDbEventStore(engines.env.EVENT_STORE_URL)
  : new PostgresEventStore(db);

/** The shares of requests that wait for a moment or for seconds, and of those whose connection is cut. */
function weather({ oneOf }) {
  return { some: oneOf([0.05, 0.15, 0.4]), long: oneOf([0.001, 0.004, 0.02]), cut: oneOf([0.0005, 0.002, 0.01]) };
}

/** Tries until the engine answers. */
async function surely(work) {
  for (;;) {
    try {
      return await work();
    } catch {
      await pause(100);
    }
  }
}

const wrong = [];
const hold = (sentences) => {
  for (const sentence of sentences) {
    wrong.push(sentence);
    say(`WRONG ${sentence}`);
  }
};

async function run() {
  say(`seed ${seed}, in ${folder}`);
  const unready = await stage.ready(READY_MS);
  if (unready.length > 0) throw new Error(`never ready: ${unready.join('; ')}`);
  const traffic = new Traffic({ stage, receiver, dice: dice('traffic') });
  await traffic.open((await surely(() => proof.readLog(store)))[0].metadata.workspace);
  say('all are ready, and traffic begins');
  const until = performance.now() + Number(values.seconds) * 1_000;
  const isOver = () => performance.now() > until;
  const flowing = traffic.run();
  const only = values.strikes?.split(',');
  hold(await storm({ stage, engines, dice: dice('storm'), isOver, query, crashes: values.crashes, only }));
  traffic.end();
  say(`the storm is over after ${traffic.commands.length} commands`);

  const began = performance.now();
  const since = () => Math.round(performance.now() - began);
  const unhealthy = await stage.ready(HEALTHY_MS);
  hold(unhealthy.map((what) => `not healthy ${HEALTHY_MS / 1_000} s after: ${what}`));
  say(`healthy ${since()} ms after`);
  receiver.heal();
  hold(await settled(traffic));
  say(`settled ${since()} ms after`);
  traffic.hangUp();
  stage.calm();
  await flowing;

  const seen = await everything(traffic);
  hold(proof.some(traffic.faults));
  hold(proof.commandsOnce(seen));
  hold(await proof.auditComplete(seen));
  hold(proof.busComplete({ ...seen, ...(await said()) }));
  const { wrong: undelivered, counts } = await proof.deliveries(seen);
  hold(undelivered);
  hold(await proof.viewsEqual({ db, store }));
  say(
    `${seen.log.length} events, ${seen.messages.length} messages, ${traffic.endpoints.size} endpoints, deliveries ${JSON.stringify(counts)}`,
  );
  for (const { name, ms, code, signal } of await stage.close())
    if (code !== 0) hold([`${name} ended with ${code ?? signal} after ${ms} ms`]);
  hold(await proof.leftOver({ query }, proof.HELD));
}

async function everything(traffic) {
  const log = await proof.readLog(store);
  return { traffic, log, messages: log.flatMap(messagesOf), query, receiver };
}

/** Resolves when nothing is to come any more, or with what still is after the time that it may take. */
async function settled(traffic) {
  const begin = performance.now();
  for (let told = begin; ; await pause(500)) {
    const seen = await everything(traffic);
    const open = [
      ...proof.unanswered(seen),
      ...(await proof.leftOver(seen)),
      ...proof.followed(seen),
      ...(await behind(seen.log)),
      ...proof.streamsWhole(seen),
      ...(await proof.untaken(seen)),
    ];
    if (open.length === 0) return [];
    if (performance.now() > told + PROGRESS_MS) {
      told = performance.now();
      say(`${open.length} to come, among them: ${open[0].slice(0, 200)}`);
    }
    if (performance.now() < begin + SETTLE_MS) continue;
    for (const statement of await proof.underWay(seen)) say(JSON.stringify(statement));
    return open.map((what) => `not over after ${SETTLE_MS / 1_000} s: ${what}`);
  }
}

/** Projections that have not passed the log, and groups that have not read the bus. */
async function behind(log) {
  const head = log.at(-1)?.position ?? 0;
  const rows = await query(
    "select name, position from projector.checkpoint where status = 'current' and position < $1",
    [head],
  );
  return rows.map(({ name, position }) => `${name} stands at ${position} of ${head}`);
}

async function said() {
  if (engines.kafka) return { said: await engines.readBus(), isOnce: false };
  const rows = await query('select topic, key, id, headers from bus.message order by position');
  return {
    said: rows.map(({ topic, key, id, headers }) => ({ topic, key, id, ...placeIn(JSON.parse(headers)) })),
    isOnce: true,
  };
}

function placeIn(headers) {
  const [position, index] = headers['postledger-position'].split('.').map(Number);
  return { workspace: headers.ce_source, place: position + index / 10_000 };
}

try {
  await run();
} catch (error) {
  hold([`the run itself failed: ${error.stack}`]);
} finally {
  stage.killAll();
  await Promise.all(stage.processes.map(({ ended }) => ended));
  receiver.close();
  await store.close().catch(() => undefined);
  await db.end();
  await engines.close();
  await database.close();
  rmSync(join(folder, 'postgres'), { recursive: true, force: true });
}
console.log(
  wrong.length === 0
    ? `seed ${seed}: everything holds`
    : `seed ${seed}: ${wrong.length} do not hold; logs are in ${folder}`,
);
process.exit(wrong.length === 0 ? 0 : 1);
