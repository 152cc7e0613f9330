// A load generator in a process of its own: keep-alive clients that POST commands, flat out or at a fixed rate. On bare sockets, since
// the machine that it takes is taken from what it measures.
// In: {url, targets:[{key, account}], clients, seconds|count, rate?, rampSeconds?}; what is done in the ramp is in `all` and not in `done`.
// Out: {ready} when the clients are connected; then in: {go}, out: {done, all, failed, seconds, sent:[[id, nanoseconds]] when rated}.
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';

const TEXT = 'A post of usual length, with an emoji 🥐 and a link to https://example.com/menu. '.repeat(6);

process.once('message', async (job) => {
  const address = new URL(job.url);
  const pool = Array.from({ length: job.clients }, () => new Client(address));
  await Promise.all(pool.map(({ ready }) => ready));
  process.once('message', async () => process.send(await run(pool, address, job)));
  process.send({ ready: true });
});
process.on('disconnect', () => process.exit(0));

/** One keep-alive connection: one request at a time. */
class Client {
  constructor({ hostname, port }) {
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.ready = new Promise((done) => this.socket.once('connect', done));
    this.received = '';
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('error', (error) => this.answer?.({ status: 0, body: error.message }));
  }

  post(head, body) {
    return new Promise((answer) => {
      this.answer = answer;
      this.socket.write(`${head}${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
  }

  take(chunk) {
    this.received += chunk;
    const end = this.received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.received.slice(0, end);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (this.received.length < end + 4 + length) return;
    const body = this.received.slice(end + 4, end + 4 + length);
    this.received = '';
    this.answer({ status: Number(head.slice(9, 12)), body });
  }
}

async function run(
  pool,
  address,
  { path = '/api/v1/posts', targets, seconds, count = Infinity, rate, rampSeconds = 0 },
) {
  const heads = targets.map(
    ({ key }) =>
      `POST ${path} HTTP/1.1\r\nhost: ${address.host}\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: `,
  );
  const sent = [];
  let [issued, done, all, failed, firstFailure] = [0, 0, 0, 0, undefined];
  let started = performance.now();
  const isOver = () => issued >= count || (seconds !== undefined && performance.now() - started >= seconds * 1000);
  const one = async (client, nth, at) => {
    const id = `pst_${randomUUID()}`;
    const body = JSON.stringify({
      id,
      profileId: 'prof_bench',
      content: { text: TEXT },
      destinations: [{ accountId: targets[nth].account, platform: 'instagram' }],
      scheduledAt: '2031-01-01T00:00:00Z',
    });
    if (at) sent.push([id, at]);
    const { status, body: said } = await client.post(heads[nth], body);
    if (status === 201) done++;
    else {
      failed++;
      firstFailure ??= `${status} ${said}`;
    }
  };
  const load = () =>
    Promise.all(
      pool.map(async (client) => {
        while (!isOver()) await one(client, issued++ % targets.length);
      }),
    );
  if (rate) {
    const idle = [...pool];
    const pending = new Set();
    while (!isOver()) {
      const wait = started + (issued * 1000) / rate - performance.now();
      if (wait > 1) await new Promise((go) => setTimeout(go, wait - 1));
      else if (wait > 0) await new Promise((go) => setImmediate(go));
      else {
        // A rate is kept whatever the answers take: when every client waits for one, there is one more client.
        const at = Number(process.hrtime.bigint());
        const nth = issued++ % targets.length;
        const client = idle.pop() ?? new Client(address);
        const work = client.ready
          .then(() => one(client, nth, at))
          .finally(() => {
            idle.push(client);
            pending.delete(work);
          });
        pending.add(work);
      }
    }
    await Promise.all(pending);
  } else {
    const running = load();
    if (rampSeconds > 0) {
      await new Promise((warm) => setTimeout(warm, rampSeconds * 1000));
      [all, done, started] = [done, 0, performance.now()];
    }
    await running;
  }
  const took = (performance.now() - started) / 1000;
  for (const { socket } of pool) socket.destroy();
  return { done, all: all + done, failed, firstFailure, seconds: took, sent };
}
