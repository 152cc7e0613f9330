import { createServer } from 'node:net';

/** Below the ports that systems give to whoever asks for any: a port that waits for its server is given to nobody else meanwhile. */
const [FIRST, COUNT] = [15_000, 15_000];
let next = Math.floor(Math.random() * COUNT);

/** A port that is free, for a server that will take it later or give it back for a while; never the same one twice. */
export async function ownPort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries++) {
    const port = FIRST + (next++ % COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error(`No port from ${FIRST} to ${FIRST + COUNT - 1} is free.`);
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((told) => {
    const server = createServer();
    server.once('error', () => told(false));
    server.listen(port, '127.0.0.1', () => server.close(() => told(true)));
  });
