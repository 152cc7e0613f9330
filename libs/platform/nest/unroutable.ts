import type { FastifyReply, FastifyRequest } from 'fastify';
import { edgeProblem, PROBLEM_TYPE, type Refusal } from './edge-problem';

const TOO_LONG: Refusal = [414, 'URI_TOO_LONG'];
const MALFORMED: Refusal = [400, 'VALIDATION_FAILED', 'The path cannot be read: it holds an escape that is none.'];

/** What a correlation id may be: it can be said again in a header. */
export const CORRELATION_ID = /^[\x21-\x7e]{1,200}$/;

/**
 * Answers a request whose path cannot be read: the router gives up before any hook or filter runs, so the problem document
 * is made here (400 for an escape that is none, 414 for a part that is too long), and the correlation id said again.
 */
export function refuseUnroutable(
  error: { readonly statusCode?: number },
  { headers }: FastifyRequest,
  reply: FastifyReply,
): void {
  const refusal = error.statusCode === 414 ? TOO_LONG : MALFORMED;
  const given = headers['x-correlation-id'];
  const correlationId = typeof given === 'string' && CORRELATION_ID.test(given) ? given : undefined;
  if (correlationId !== undefined) reply.header('x-correlation-id', correlationId);
  reply.code(refusal[0]).header('content-type', PROBLEM_TYPE).send(edgeProblem(refusal, correlationId));
}
