import type { Socket } from 'node:net';
import type { ISocketFactory } from 'kafkajs';

const SIZE_BYTES = 4;

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
