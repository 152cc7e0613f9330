// npm run bench -- --engines: the same figures on the embedded engines, with Kafka as the bus, and with the double of EventStoreDB as the log.
import { fork } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';
import { deliveries, latency } from './scenarios.mjs';
import { openReceiver, openSystem, spread } from './stage.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const require = createRequire(import.meta.url);

/** Kafka as the engine suites start it: their modules are TypeScript, so they are turned into scripts first. */
async function startKafka() {
  const folder = join(root, '.cache/bench');
  mkdirSync(folder, { recursive: true });
  for (const name of ['kafka-properties', 'kafka']) {
    const { code } = transformSync(readFileSync(join(root, `test/engines/${name}.ts`), 'utf8'), {
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'commonjs' },
    });
    writeFileSync(join(folder, `${name}.js`), code);
  }
  const { KafkaNode } = require(join(folder, 'kafka.js'));
  const node = await KafkaNode.start();
  return { env: { BUS_URL: node.url }, close: () => node.remove() };
}

/** In a process of its own, as a node would be. */
async function startDouble() {
  const child = fork(join(here, 'double.mjs'));
  const url = await new Promise((told) => child.once('message', told));
  return { env: { EVENT_STORE_URL: url }, close: () => child.disconnect() };
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

/** Prints every figure on every ground, with its ratio to the embedded engines. */
export async function compareEngines({ quick }) {
  const receiver = await openReceiver();
  const embedded = new Map();
  try {
    for (const [name, start] of GROUNDS) {
      const ground = await start();
      const system = await openSystem(ground.env);
      const stage = { system, receiver, seconds: 5, count: quick ? 8_000 : 30_000 };
      try {
        await deliveries(1)({ ...stage, count: 2_000 });
        for (const [what, unit, measure] of FIGURES) {
          const taken = [];
          for (let run = 0; run < (quick ? 1 : 3); run++) taken.push((await measure(stage)).value);
          const { min, median, max } = spread(taken);
          embedded.set(what, embedded.get(what) ?? median);
          const shown = [median, min, max].map((value) => (value >= 100 ? Math.round(value) : value.toPrecision(3)));
          console.log(
            `${name}: ${what} ${shown[0]} ${unit} (${shown[1]}–${shown[2]}), ×${(median / embedded.get(what)).toFixed(2)} of embedded`,
          );
        }
      } finally {
        await system.close();
        await ground.close();
      }
    }
  } finally {
    receiver.close();
  }
}
