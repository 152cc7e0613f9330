import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/** What a path's last part makes of a request: how long it takes, and what is answered (`cut`: taken, and the connection reset). */
const WAYS = {
  steady: ({ between }) => ({ ms: between(0, 20), answer: 204 }),
  flaky: ({ random, between }) => {
    const dice = random();
    if (dice < 0.15) return { ms: between(0, 50), answer: 500 };
    if (dice < 0.2) return { ms: between(0, 50), answer: 'cut' };
    if (dice < 0.25) return { ms: between(500, 3_000), answer: 204 };
    return { ms: between(0, 50), answer: 204 };
  },
  /** Away for four seconds of every ten. */
  moody: ({ between }) => ({ ms: between(0, 20), answer: Date.now() % 10_000 < 4_000 ? 503 : 204 }),
};

/** Receivers of all endpoints: `/<endpoint>/<way>`. Keeps what came, in the order of the answers. */
export async function openReceiver(dice) {
  const received = new Map();
  let isHealing = false;
  const server = createServer(async (request, response) => {
    const [, endpoint, way] = request.url.split('/');
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { ms, answer } = isHealing ? { ms: 0, answer: 204 } : WAYS[way](dice);
    const one = { headers: request.headers, body, cameAt: performance.now(), answer, order: 0 };
    if (!received.has(endpoint)) received.set(endpoint, []);
    received.get(endpoint).push(one);
    if (ms > 0) await pause(ms);
    one.answeredAt = performance.now();
    if (answer === 'cut') request.socket.resetAndDestroy();
    else response.writeHead(answer).end();
  });
  server.keepAliveTimeout = 60_000;
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise((up) => server.listen(0, '127.0.0.1', up));
  const { port } = server.address();
  return {
    url: (endpoint, way) => `http://127.0.0.1:${port}/${endpoint}/${way}`,
    of: (endpoint) => received.get(endpoint) ?? [],
    /** From now on everything is taken. */
    heal: () => (isHealing = true),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
