import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

const KEEP_ALIVE_MS = 60_000;
const SIZE_BYTES = 4;

/** A connection to a broker, over TLS where it has settings for that. `onConnect` is called once it can be written to. */
export function socketTo(
  {
    host,
    port,
    ssl,
  }: { readonly host: string; readonly port: number; readonly ssl?: ConnectionOptions | boolean | undefined },
  onConnect: () => void,
): Socket {
  if (!ssl) return connect({ host, port }, onConnect);
  const name = isIP(host) === 0 && { servername: host };
  return connectTls({ ...name, ...(ssl === true ? {} : ssl), host, port }, onConnect);
}

/** Sockets as kafkajs makes its own. */
export const ownSockets: ISocketFactory = ({ onConnect, ...to }) =>
  socketTo(to, onConnect).setKeepAlive(true, KEEP_ALIVE_MS);

/**
 * Sockets that hand on whole responses alone. kafkajs 2.2.4 connects again by the object that the connection before was lost with, and keeps what
 * that one had heard of a response: what the next one hears is taken for its rest, and a read beyond the end of it ends the process.
 */
export const inWholeResponses =
  (sockets: ISocketFactory): ISocketFactory =>
  (args) => {
    const socket = sockets(args);
    const on = socket.on.bind(socket) as (event: string, hear: (data: Buffer) => void) => Socket;
    const wrapped = (event: string, hear: (data: Buffer) => void) => on(event, event === 'data' ? wholes(hear) : hear);
    return Object.assign(socket, { on: wrapped });
  };

/** Gathers what comes in pieces: four bytes tell how many more a response has. */
function wholes(hear: (responses: Buffer) => void): (piece: Buffer) => void {
  let pieces: Buffer[] = [];
  let gathered = 0;
  let needed = SIZE_BYTES;
  return (piece) => {
    pieces.push(piece);
    gathered += piece.length;
    if (gathered < needed) return;
    const data = pieces.length === 1 ? piece : Buffer.concat(pieces);
    let end = 0;
    for (needed = sizeAt(data, 0); end + needed <= data.length; needed = sizeAt(data, end)) end += needed;
    pieces = end < data.length ? [data.subarray(end)] : [];
    gathered = data.length - end;
    if (end > 0) hear(data.subarray(0, end));
  };
}

/** Bytes of the response that begins there, its size included; those of the size while that is not there. */
const sizeAt = (data: Buffer, at: number): number =>
  data.length - at < SIZE_BYTES ? SIZE_BYTES : SIZE_BYTES + Math.max(0, data.readInt32BE(at));
