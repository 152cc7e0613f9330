import type { FastifyInstance } from 'fastify';
import { edgeProblem, PROBLEM_TYPE, type Refusal } from './edge-problem';

const NO_HOST: Refusal = [400, 'VALIDATION_FAILED', 'The request names no host, as HTTP/1.1 wants it.'];

/**
 * Takes over what Node refuses by itself, with nothing in its answer: a request without `Host` gets the problem document
 * (the server has to be made with `requireHostHeader: false`), and an `Expect` that nobody knows is ignored (RFC 9110, 10.1.1).
 */
export function refuseHostless(fastify: FastifyInstance): void {
  fastify.server.on('checkExpectation', (request, response) => fastify.server.emit('request', request, response));
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.headers.host !== undefined || request.raw.httpVersion === '1.0') return done();
    reply.code(NO_HOST[0]).headers({ 'content-type': PROBLEM_TYPE, connection: 'close' }).send(edgeProblem(NO_HOST));
  });
}
