// A load generator in a process of its own: keep-alive clients that POST commands, flat out or at a fixed rate.
// In: {url, targets:[{key, account}], clients, seconds|count, rate?}. Out: {done, failed, seconds, sent:[[id, nanoseconds]] when rated}.
import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';

const TEXT = 'A post of usual length, with an emoji 🥐 and a link to https://example.com/menu. '.repeat(6);

process.on('message', async (job) => process.send(await run(job)));
process.on('disconnect', () => process.exit(0));

async function run({ url, path = '/api/v1/posts', targets, clients, seconds, count = Infinity, rate }) {
  const pool = new Pool(url, { connections: clients, pipelining: 1 });
  const sent = [];
  let [issued, done, failed, firstFailure] = [0, 0, 0, undefined];
  const started = performance.now();
  const isOver = () => issued >= count || (seconds !== undefined && performance.now() - started >= seconds * 1000);
  const one = async () => {
    const { key, account } = targets[issued++ % targets.length];
    const id = `pst_${randomUUID()}`;
    const body = JSON.stringify({
      id,
      profileId: 'prof_bench',
      content: { text: TEXT },
      destinations: [{ accountId: account, platform: 'instagram' }],
      scheduledAt: '2031-01-01T00:00:00Z',
    });
    if (rate) sent.push([id, Number(process.hrtime.bigint())]);
    const answer = await pool.request({
      path,
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body,
    });
    const text = answer.statusCode === 201 ? (await answer.body.dump(), '') : await answer.body.text();
    if (answer.statusCode === 201) done++;
    else {
      failed++;
      firstFailure ??= `${answer.statusCode} ${text}`;
    }
  };
  if (rate) {
    const pending = new Set();
    while (!isOver()) {
      const due = started + (issued * 1000) / rate;
      const wait = due - performance.now();
      if (wait > 1) await new Promise((go) => setTimeout(go, wait - 1));
      else if (wait > 0) await new Promise((go) => setImmediate(go));
      else {
        const work = one().finally(() => pending.delete(work));
        pending.add(work);
      }
    }
    await Promise.all(pending);
  } else
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (!isOver()) await one();
      }),
    );
  const took = (performance.now() - started) / 1000;
  await pool.close();
  return { done, failed, firstFailure, seconds: took, sent };
}
