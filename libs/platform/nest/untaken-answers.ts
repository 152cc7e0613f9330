import type { Server } from 'node:http';

/** A client that has taken nothing of its answer for so long has stopped reading. */
const UNTAKEN_MS = 60_000;

/** Ends the connections of clients that ask and do not read: what they do not take waits in memory. Who waits for an answer waits on. */
export function endUntaken(server: Server, ms = UNTAKEN_MS): void {
  server.on('request', ({ socket }, response) =>
    response.setTimeout(ms, () => {
      if (socket.writableLength > 0) socket.destroy();
    }),
  );
}
