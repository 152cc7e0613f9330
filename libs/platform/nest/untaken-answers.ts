import type { Server } from 'node:http';
import type { LatestRequests } from './latest-requests';

/** A client that has taken nothing of its answer for so long has stopped reading. Node lets it pass a second time before it says so. */
const UNTAKEN_MS = 60_000;

/**
 * Ends the connections of clients that ask and do not read: what they do not take waits in memory. Who waits for an answer waits on.
 * One look over all the connections now and then starts the clock of those that have something to take, so that a command needs none.
 */
export function endUntaken(server: Server, latest: LatestRequests, ms = UNTAKEN_MS): void {
  const look = setInterval(() => {
    for (const socket of latest.keys()) if (socket.writableLength > 0 && !socket.timeout) socket.setTimeout(ms);
  }, ms / 4).unref();
  server.on('close', () => clearInterval(look));
  // The server's own clock of idle connections comes here too.
  server.on('timeout', (socket) => {
    const answers = latest.get(socket)?.response.writableFinished === false;
    if (socket.writableLength > 0 || !answers) socket.destroy();
  });
}
