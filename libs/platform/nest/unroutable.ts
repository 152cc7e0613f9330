import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * Answers a request whose path cannot be read: the router gives up before any hook or filter runs, so the problem document
 * is made here (400 for an escape that is none, 414 for a part that is too long).
 */
export function refuseUnroutable(
  error: { readonly statusCode?: number },
  _request: FastifyRequest,
  reply: FastifyReply,
): void {
  const isTooLong = error.statusCode === 414;
  const [status, code] = isTooLong ? ([414, 'URI_TOO_LONG'] as const) : ([400, 'VALIDATION_FAILED'] as const);
  const detail = isTooLong
    ? 'A part of the path is too long.'
    : 'The path cannot be read: it holds an escape that is none.';
  const errors = isTooLong ? {} : { errors: [{ pointer: '', message: detail }] };
  reply
    .code(status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(
      JSON.stringify({
        type: `urn:postledger:problem:${code}`,
        title: STATUS_CODES[status],
        status,
        code,
        detail,
        ...errors,
      }),
    );
}
