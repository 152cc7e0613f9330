import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { edgeProblem, PROBLEM_TYPE, type Refusal } from './edge-problem';

/** What Node's parser says, and what of it the caller is told. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: [431, 'HEADERS_TOO_LARGE'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'REQUEST_TIMEOUT'],
};
const MALFORMED: Refusal = [
  400,
  'VALIDATION_FAILED',
  'The request cannot be read: it is not HTTP, or holds characters that need an escape.',
];

/**
 * Answers what is no request yet: Node's parser has given up on it, so there is nothing but the socket to write the problem
 * document to. Ends the connection, of which nobody knows where the next request would begin.
 */
export function refuseUnreadable({ code = '' }: { readonly code?: string }, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const refusal = REFUSALS[code] ?? MALFORMED;
  const body = edgeProblem(refusal);
  const head = [
    `HTTP/1.1 ${refusal[0]} ${STATUS_CODES[refusal[0]]}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
