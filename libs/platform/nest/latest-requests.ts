import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The latest request of a connection, whose answers come in the order of its requests. */
export interface Latest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** The open connections of a server, each with its latest request once it has had one. */
export type LatestRequests = ReadonlyMap<Socket, Latest | undefined>;

/** Keeps the latest request of every connection to `server` from here on. */
export function latestRequests(server: Server): LatestRequests {
  const latest = new Map<Socket, Latest | undefined>();
  server.on('connection', (socket) => {
    latest.set(socket, undefined);
    socket.once('close', () => latest.delete(socket));
  });
  server.on('request', (request, response) => {
    if (latest.has(request.socket)) latest.set(request.socket, { request, response });
  });
  return latest;
}
