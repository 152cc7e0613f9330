// npm run bench -- --engines: the same figures on the embedded engines, with Kafka as the bus, and with the double of EventStoreDB as the log.
import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kafkaNode } from '../engines/kafka-node.mjs';
import { deliveries, latency } from './scenarios.mjs';
import { cpuOf, openReceiver, openSystem, spread } from './stage.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

async function startKafka() {
  const node = await (await kafkaNode()).start();
  return { env: { BUS_URL: node.url }, pid: node.pid, close: () => node.remove() };
}

/** In a process of its own, as a node would be. */
async function startDouble() {
  const child = fork(join(here, 'double.mjs'));
  const url = await new Promise((told) => child.once('message', told));
  return { env: { EVENT_STORE_URL: url }, pid: child.pid, close: () => child.disconnect() };
}

const GROUNDS = [
  ['embedded', async () => ({ env: {}, close: () => undefined })],
  ['with Apache Kafka', startKafka],
  ['with the double of EventStoreDB', startDouble],
];

/** A view built anew from the log, in events a second. */
async function rebuild({ system }) {
  const { Database } = require('../../dist/libs/postgres/index.js');
  const { PostgresEventStore } = require('../../dist/libs/event-store/postgres/postgres-event-store.js');
  const { EventStoreDbEventStore } = require('../../dist/libs/event-store/eventstoredb/eventstoredb-event-store.js');
  const { rebuildable } = require('../../dist/apps/projector/projections/all-projections.js');
  const { rebuild: build } = require('../../dist/apps/projector/rebuild/rebuild.js');
  const db = new Database(system.databaseUrl, { max: 4 });
  const store = system.eventStoreUrl ? new EventStoreDbEventStore(system.eventStoreUrl) : new PostgresEventStore(db);
  try {
    const [{ events }] = await db.query('select count(*) as events from read.audit');
    const started = performance.now();
    await build(
      { db, store },
      rebuildable.find(({ name }) => name === 'posts'),
    );
    return { value: events / ((performance.now() - started) / 1000) };
  } finally {
    await store.close();
    await db.end();
  }
}

const FIGURES = [
  ['deliveries, ten endpoints', '/s', deliveries(10)],
  ['latency at 200/s, p50', 'ms', latency],
  ['rebuild of a view', 'events/s', rebuild],
];

const shown = (value) => (value >= 100 ? Math.round(value) : value.toPrecision(3));

/** All grounds at once, each with a system that stands on it: what else the machine does hits them alike. */
async function openGrounds() {
  const opened = [];
  try {
    for (const [name, start] of GROUNDS) {
      const ground = await start();
      opened.push({ name, ground, system: await openSystem(ground.env) });
    }
    return opened;
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function closeAll(opened) {
  for (const { system, ground } of opened) {
    await system.close();
    await ground.close();
  }
}

/** Processor time of the apps, their database and the engine beside them, in seconds so far. */
function cpuOfAll({ system, ground }) {
  const { apps, database } = system.cpu();
  return { apps, database, engine: ground.pid === undefined ? 0 : cpuOf(ground.pid) };
}

/** Takes one figure on one ground: its value, and the processor time that an operation took in each part, in microseconds. */
async function take(opened, measure, stage) {
  const before = cpuOfAll(opened);
  const { value, operations } = await measure({ ...stage, system: opened.system });
  const after = cpuOfAll(opened);
  const cpu = Object.keys(after).map((part) => ((after[part] - before[part]) / (operations ?? Infinity)) * 1e6);
  return { value, cpu };
}

/** Prints every figure on every ground, the grounds by turns, with its ratio to the embedded engines. */
export async function compareEngines({ quick }) {
  const receiver = await openReceiver();
  const stage = { receiver, seconds: 5, count: quick ? 8_000 : 30_000 };
  let opened = [];
  try {
    opened = await openGrounds();
    for (const { system } of opened) await deliveries(1)({ ...stage, system, count: 4_000 });
    for (const [what, unit, measure] of FIGURES) {
      const taken = new Map(opened.map(({ name }) => [name, []]));
      for (let run = 0; run < (quick ? 1 : 3); run++)
        for (const one of opened) taken.get(one.name).push(await take(one, measure, stage));
      const embedded = spread(taken.get(GROUNDS[0][0]).map(({ value }) => value)).median;
      for (const [name, runs] of taken) {
        const { min, median, max } = spread(runs.map(({ value }) => value));
        const [apps, database, engine] = runs[0].cpu.map((_, part) => spread(runs.map(({ cpu }) => cpu[part])).median);
        const cpu =
          apps > 0
            ? `; processor µs each: apps ${shown(apps)}, database ${shown(database)}, engine ${shown(engine)}`
            : '';
        console.log(
          `${name}: ${what} ${shown(median)} ${unit} (${shown(min)}–${shown(max)}), ×${(median / embedded).toFixed(2)} of embedded${cpu}`,
        );
      }
    }
  } finally {
    await closeAll(opened);
    receiver.close();
  }
}
