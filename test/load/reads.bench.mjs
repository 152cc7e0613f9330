// What the second lock on a workspace costs: the same reads of the same data, from a system with row-level security and from one without.
import { Pool } from 'undici';
import { openSystem, spread, tenants } from './stage.mjs';

const CLIENTS = 32;
const TENANTS = 10;
const POSTS = 60;

/** A system with posts in ten workspaces, and how to read them. */
async function openReads(rowSecurity) {
  const system = await openSystem({ ROW_SECURITY: rowSecurity });
  const targets = await tenants(system, TENANTS);
  for (const { key, account } of targets)
    await Promise.all(
      Array.from({ length: POSTS }, (_, n) =>
        system.call(
          'POST',
          '/posts',
          {
            id: `pst_${n}`,
            profileId: 'prof_bench',
            content: { text: 'A post of usual length, with an emoji 🥐 and a link. '.repeat(8) },
            destinations: [{ accountId: account, platform: 'instagram' }],
            scheduledAt: '2031-01-01T00:00:00Z',
          },
          key,
        ),
      ),
    );
  const pool = new Pool(system.url, { connections: CLIENTS, pipelining: 1 });
  const get = async (path, key) => {
    const { statusCode, body } = await pool.request({
      path,
      method: 'GET',
      headers: { authorization: `Bearer ${key}` },
    });
    await body.dump();
    if (statusCode !== 200) throw new Error(`GET ${path}: ${statusCode}`);
  };
  /** Reads a second, and microseconds of the processor for each: of the apps, and of the database. */
  const measure = async (pathOf, seconds) => {
    const before = system.cpu();
    const started = performance.now();
    let done = 0;
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        while (performance.now() - started < seconds * 1000) {
          const n = done++;
          await get(pathOf(n), targets[n % TENANTS].key);
        }
      }),
    );
    const took = (performance.now() - started) / 1000;
    const after = system.cpu();
    const each = (part) => ((after[part] - before[part]) * 1e6) / done;
    return { perSecond: done / took, apps: each('apps'), database: each('database') };
  };
  return { measure, close: async () => (await pool.close(), await system.close()) };
}

const READS = {
  'GETs by id': (n) => `/api/v1/posts/pst_${Math.floor(n / TENANTS) % POSTS}`,
  'lists of fifty': () => '/api/v1/posts?limit=50',
};

/** The two systems take turns, so that what the machine does beside falls on both. */
export async function measureReads({ runs, seconds }) {
  const [on, off] = [await openReads('required'), await openReads('off')];
  try {
    const figures = [];
    for (const [name, pathOf] of Object.entries(READS)) {
      for (const each of [on, off]) await each.measure(pathOf, 2);
      const taken = [];
      for (let run = 0; run < runs; run++)
        taken.push({ on: await on.measure(pathOf, seconds), off: await off.measure(pathOf, seconds) });
      const median = (of) => spread(taken.map(of)).median;
      figures.push({
        name,
        ratios: taken.map((each) => each.on.perSecond / each.off.perSecond),
        details: {
          'with it': median((each) => each.on.perSecond),
          without: median((each) => each.off.perSecond),
          'apps µs each': median((each) => each.on.apps),
          'without:': median((each) => each.off.apps),
          'database µs each': median((each) => each.on.database),
          'without it:': median((each) => each.off.database),
        },
      });
    }
    return figures;
  } finally {
    await on.close();
    await off.close();
  }
}
