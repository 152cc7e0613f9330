// Each scenario measures one figure once, on a system that is already warm; run.mjs repeats and prints.
import { Client } from 'pg';
import { batchedInsert, signedPosts } from './limits.mjs';
import { generate, percentile, ready, tenants, until } from './stage.mjs';

/** Appends events from a fresh process. */
export async function feed(job) {
  const feeder = await ready('feeder.mjs', job);
  return feeder.run();
}

export async function sql(system, text, params) {
  const client = new Client({ connectionString: system.databaseUrl });
  await client.connect();
  try {
    return (await client.query(text, params)).rows;
  } finally {
    await client.end();
  }
}

/** Waits until all `count` endpoints of these workspaces take what happens as it happens, and none still catches up. */
export const untilLive = (system, workspaces, count) =>
  until('every endpoint live', async () => {
    const [{ waiting, live }] = await sql(
      system,
      `select count(*) filter (where phase = 'catching_up')::int as waiting,
         count(*) filter (where phase = 'live' and workspace = any($1))::int as live from delivery.endpoint`,
      [workspaces],
    );
    return waiting === 0 && live === count;
  });

/** Tenants with an endpoint each that is live. */
async function subscribers(system, n, receiver, pathOf) {
  const made = await tenants(system, n, receiver, pathOf);
  await untilLive(
    system,
    made.map(({ workspace }) => workspace),
    n,
  );
  return made;
}

const recorded = async (system) => Number((await sql(system, 'select count(*) as n from delivery.attempt'))[0].n);

/** Commands a second through HTTP, 64 keep-alive clients, no webhooks. */
export async function commands({ system, seconds }) {
  const [tenant] = await tenants(system, 1);
  const {
    done,
    all,
    seconds: took,
  } = await generate({
    url: system.url,
    targets: [tenant],
    clients: 64,
    seconds,
    rampSeconds: 1,
  });
  return { value: done / took, operations: all };
}

/** From the first appended event to the last recorded attempt, `count` events, one delivery each, over `n` endpoints. */
export const deliveries =
  (n) =>
  async ({ system, receiver, count }) => {
    const targets = await subscribers(system, n, receiver, (i) => `d${n}-${Date.now()}-${i}`);
    const before = await recorded(system);
    await receiver.reset();
    const { started } = await feed({
      databaseUrl: system.databaseUrl,
      eventStoreUrl: system.eventStoreUrl,
      workspaces: targets.map(({ workspace }) => workspace),
      count,
    });
    await until(`${count} deliveries`, async () => (await receiver.count()) >= count);
    await until('every attempt recorded', async () => (await recorded(system)) - before >= count);
    return { value: count / ((performance.now() - started) / 1000), operations: count };
  };

/** One event to a hundred endpoints. */
export async function fanOut({ system, receiver, count }) {
  const { apiKey, id } = await system.call('POST', '/workspaces', { name: 'fan-out' });
  await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      system.call(
        'POST',
        '/webhooks/endpoints',
        { targetUrl: receiver.url(`fan-${i}`), eventTypes: ['post.scheduled'], contract: 'core' },
        apiKey,
      ),
    ),
  );
  await untilLive(system, [id], 100);
  const events = Math.ceil(count / 100);
  await receiver.reset();
  const { started } = await feed({ databaseUrl: system.databaseUrl, workspaces: [id], count: events });
  await until(`${events * 100} deliveries`, async () => (await receiver.count()) >= events * 100);
  return { value: (events * 100) / ((performance.now() - started) / 1000), operations: events * 100 };
}

async function both({ system, receiver, seconds }, hanging) {
  const targets = await subscribers(system, 10, receiver, (i) =>
    i === 0 && hanging ? `hang-${Date.now()}` : `b-${Date.now()}-${i}`,
  );
  await receiver.reset();
  const { done, started } = await generate({ url: system.url, targets, clients: 32, seconds });
  const expected = hanging ? done - Math.ceil(done / 10) : done;
  await until('the deliveries of every command', async () => (await receiver.count()) >= expected);
  const took = (performance.now() - started) / 1000;
  return { commands: done / took, deliveries: expected / took, operations: done };
}

/** Commands and deliveries at once: 32 clients, ten endpoints, each command gives one delivery. */
export async function together(stage) {
  const { deliveries: value, operations } = await both(stage, false);
  return { value, operations };
}

/** The same, healthy and with one of the ten hanging: how much of their rate the other nine keep. */
export async function hanging(stage) {
  const healthy = (await both(stage, false)).deliveries * 0.9;
  const with_ = (await both(stage, true)).deliveries;
  return { value: with_ / healthy, healthy, hanging: with_ };
}

/** From POST sent to signed POST received, 200 a second, in milliseconds. */
export async function latency({ system, receiver, seconds }) {
  const targets = await subscribers(system, 1, receiver, () => `latency-${Date.now()}`);
  await receiver.reset();
  const warm = await generate({ url: system.url, targets, clients: 16, seconds: 2, rate: 200 });
  await until(
    'the webhooks of the warm-up',
    async () => ((await receiver.facts()).perPath[targets[0].path] ?? 0) >= warm.done,
  );
  await receiver.reset(true);
  const { sent, done } = await generate({
    url: system.url,
    targets,
    clients: 32,
    seconds: Math.max(seconds, 5),
    rate: 200,
  });
  await until('every webhook', async () => ((await receiver.facts()).perPath[targets[0].path] ?? 0) >= done);
  const arrivals = new Map(await receiver.arrivals());
  await receiver.reset(false);
  const took = sent.map(([id, at]) => (arrivals.get(id) - at) / 1e6).sort((a, b) => a - b);
  if (took.some(Number.isNaN)) throw new Error('a webhook did not come');
  return { value: percentile(took, 50), operations: done, p95: percentile(took, 95), p99: percentile(took, 99) };
}

/** Resident memory after five times `count` more deliveries (200,000 in a full run), as a ratio to before; before, it has had `count`. */
export async function memory({ system, receiver, count }) {
  await deliveries(1)({ system, receiver, count });
  const before = system.rss();
  await deliveries(1)({ system, receiver, count: count * 5 });
  return { value: system.rss() / before, beforeMiB: before / 1048576, afterMiB: system.rss() / 1048576 };
}

export const limits = {
  insert: ({ system }) => batchedInsert(system.databaseUrl),
  posts: ({ receiver }) => signedPosts(receiver),
};
