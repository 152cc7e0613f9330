import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { LatestRequests } from './latest-requests';

/** How long, once the server closes, a request that has begun to come in may take for the rest of it. */
const ARRIVAL_MS = 2_000;

/**
 * Ends, when the server closes, the connections on which it works for nobody. The server takes for idle only those on which nothing
 * has begun, and waits for all others: for a browser that opened some ahead, and for a client that went away in the middle of a request.
 */
export function endUnusedConnections(fastify: FastifyInstance, latest: LatestRequests): void {
  const { server } = fastify;
  let isClosing = false;
  const endWhenAnswered = (socket: Socket) => {
    const last = latest.get(socket);
    if (!last || last.response.writableFinished) return void socket.destroy();
    last.response.once('finish', () => latest.get(socket) === last && socket.destroySoon());
    if (!last.request.complete) setTimeout(() => !last.request.complete && socket.destroy(), ARRIVAL_MS).unref();
  };
  server.on('connection', (socket) => {
    if (isClosing) socket.destroy();
  });
  server.on('request', ({ socket }) => {
    if (isClosing) endWhenAnswered(socket);
  });
  fastify.addHook('preClose', (done) => {
    isClosing = true;
    for (const socket of latest.keys()) endWhenAnswered(socket);
    done();
  });
}
