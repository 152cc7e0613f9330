import type {
  FastifyContentTypeParser,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
} from 'fastify';
import type { Histogram } from 'prom-client';
import { requestFingerprint, type IdempotencyStore, type KeptAnswer } from '../idempotency/idempotency-store';
import { holdsSealed, openThing, type SubjectKeys } from '#personal-data';
import { PROBLEM_TYPE } from '#platform';
import type { KeyStore } from '../keys/key-store';
import { rateHeaders, type RateLimit } from '../rate-limit/rate-limit';
import type { Caller, RouteContract } from './caller';
import { errorCodes } from './error-codes';
import { idempotencyKeyOf, traceOf } from './headers';
import { escapePointer, parseJson, unknownName, UNSTORABLE } from './json-body';
import { invalid, Problem, problem, problemOf } from './problem';
import type { Scope } from './scopes';
import { validated } from './validate';

/** Who hears of what is not the caller's to mend. */
export interface Faults {
  /** Answered 500: it is ours. */
  readonly onDefect: (error: unknown, request: FastifyRequest) => void;
  /** Answered 503: an engine is away, or does not do this for now. */
  readonly onOutage: (error: unknown) => void;
}

export interface EdgeParts extends Faults {
  readonly keys: KeyStore;
  /** What is personal in an answer is opened by it as the very last step. */
  readonly personal: SubjectKeys;
  readonly rateLimit: RateLimit;
  readonly idempotency: IdempotencyStore;
  readonly durations: Histogram<'method' | 'route' | 'status'>;
}

/** The header that says in an answer that it is one kept under its Idempotency-Key. */
const REPLAYED = 'idempotency-replayed';
const KEPT_HEADERS = ['etag', 'content-type'];
const CHANGING = new Set(['POST', 'PATCH', 'PUT', 'DELETE']);

/** Sends a problem as `application/problem+json`. */
export function refuse(reply: FastifyReply, it: Problem): FastifyReply {
  const trace = reply.request.trace;
  // To end the connection while its client still sends would take the answer from it: the rest is let come in, and is thrown away.
  if (it.code === 'BODY_TOO_LARGE' || it.code === 'UNSUPPORTED_MEDIA_TYPE') reply.removeHeader('connection');
  return reply
    .code(it.status)
    .headers(it.headers)
    .header('content-type', PROBLEM_TYPE)
    .send(JSON.stringify(it.body(trace?.correlationId)));
}

/**
 * What every route of the api goes through, in this order: trace, key, scope, rate · body · Idempotency-Key · input.
 * As hooks of the server and not of each controller, so that a wrong key is refused before its body is read.
 */
export function installHooks(server: FastifyInstance, parts: EdgeParts): void {
  server.decorateRequest('caller', null);
  server.decorateRequest('trace', null);
  server.decorateRequest('reservation', null);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    /^application\/(?:[\w.-]+\+)?json(?:\s*;|$)/i,
    { parseAs: 'buffer' },
    (request, body, done) => {
      try {
        if (request.headers['content-encoding'] && request.headers['content-encoding'] !== 'identity')
          throw problem('UNSUPPORTED_MEDIA_TYPE');
        done(null, parseJson(body as Buffer));
      } catch (error) {
        done(error as Error);
      }
    },
  );
  server.addContentTypeParser('*', untyped);

  server.addHook('onRequest', (request, reply, done) => {
    try {
      admit(request, reply, parts, done);
    } catch (error) {
      fail(error, request, reply, parts);
    }
  });
  server.addHook('preValidation', (request, reply, done) => {
    const api = request.routeOptions.config.api;
    if (!api) return done();
    try {
      // Before the key is looked up: an answer that is kept may hold what not every caller may have.
      api.gives?.(request.body).forEach((scope) => need(request.caller!, scope));
      const key = CHANGING.has(request.method) ? idempotencyKeyOf(request.headers) : undefined;
      if (key === undefined) return done();
      reserve(request, reply, key, parts, done);
    } catch (error) {
      fail(error, request, reply, parts);
    }
  });
  server.addHook('preHandler', (request, reply, done) => {
    const api = request.routeOptions.config.api;
    try {
      if (api) checkInput(request, api);
      done();
    } catch (error) {
      fail(error, request, reply, parts);
    }
  });
  server.addHook('onSend', (request, reply, payload, done) => {
    if (request.trace) {
      reply.header('x-correlation-id', request.trace.correlationId);
      if (request.trace.traceparent !== undefined) reply.header('traceparent', request.trace.traceparent);
    }
    const isSealed = typeof payload === 'string' && request.caller !== null && holdsSealed(payload);
    const answer = () => (isSealed ? opened(request.caller!.workspace, payload, parts) : payload);
    // What is kept under an Idempotency-Key is kept sealed: said again later, it is opened as it then can be.
    const said = request.reservation ? settle(request, reply, payload, parts).then(answer) : answer();
    if (!(said instanceof Promise)) return done(null, said);
    said.then(
      (text) => done(null, text),
      (error: Error) => done(error),
    );
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { url = 'none' } = request.routeOptions;
    if (request.trace)
      parts.durations.observe(
        { method: request.method, route: url, status: String(reply.statusCode) },
        reply.elapsedTime / 1_000,
      );
    done();
  });
}

/** Of another type, or of none, is only nothing: what comes in chunks, as from a proxy, says at its end whether it was that. */
const untyped: FastifyContentTypeParser = ({ headers }, payload, done) => {
  const settled = (error: Problem | null) => {
    payload.off('data', refused).off('end', nothing).off('error', refused);
    done(error, undefined);
  };
  const refused = () => settled(problem('UNSUPPORTED_MEDIA_TYPE'));
  const nothing = () => settled(null);
  if (headers['transfer-encoding'] === undefined) refused();
  else payload.on('data', refused).on('end', nothing).on('error', refused);
};

function fail(error: unknown, request: FastifyRequest, reply: FastifyReply, parts: EdgeParts): void {
  refuse(reply, heard(error, request, parts));
}

/** The problem that an error is to the caller; what is not the caller's to mend is told to those who can. */
export function heard(error: unknown, request: FastifyRequest, { onDefect, onOutage }: Faults): Problem {
  const it = problemOf(error);
  if (it.status === 500) onDefect(error, request);
  else if (it.code === 'ENGINE_UNAVAILABLE') onOutage(error);
  return it;
}

function admit(request: FastifyRequest, reply: FastifyReply, parts: EdgeParts, done: HookHandlerDoneFunction): void {
  const api = request.routeOptions.config?.api;
  if (!api) {
    if (request.is404) request.trace = traceOf(request.headers);
    return done();
  }
  request.trace = traceOf(request.headers);
  if (isWithoutBody(request)) delete request.headers['content-type'];
  const text = /^Bearer +(\S{1,512}) *$/i.exec(request.headers.authorization ?? '')?.[1];
  if (text === undefined) throw unauthorized();
  const known = parts.keys.cached(text);
  if (known !== undefined) return admitCaller(known, request, reply, api, parts, done);
  parts.keys.find(text).then(
    (caller) => {
      try {
        admitCaller(caller, request, reply, api, parts, done);
      } catch (error) {
        fail(error, request, reply, parts);
      }
    },
    (error: unknown) => fail(error, request, reply, parts),
  );
}

/** Then it is of no type either, whatever its client adds to every POST (`curl -d ''`, PowerShell, Ruby: a form). */
const isWithoutBody = ({ headers }: FastifyRequest): boolean =>
  headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';

const unauthorized = () => problem('UNAUTHORIZED', { headers: { 'www-authenticate': 'Bearer' } });

function admitCaller(
  caller: FastifyRequest['caller'],
  request: FastifyRequest,
  reply: FastifyReply,
  api: RouteContract,
  parts: EdgeParts,
  done: HookHandlerDoneFunction,
): void {
  if (!caller) throw unauthorized();
  request.caller = caller;
  const check = () => {
    need(caller, api.scope);
    done();
  };
  if (caller.kind === 'service') return check();
  parts.rateLimit
    .take(caller)
    .then((allowance) => {
      reply.headers(rateHeaders(allowance));
      if (!allowance.isAllowed)
        throw problem('RATE_LIMITED', { headers: { 'retry-after': String(allowance.resetSeconds) } });
      check();
    })
    .catch((error: unknown) => fail(error, request, reply, parts));
}

function need({ scopes }: Caller, scope: Scope): void {
  if (!scopes.has(scope)) throw problem('SCOPE_MISSING', { detail: `The scope ${scope} is needed.`, extra: { scope } });
}

function reserve(
  request: FastifyRequest,
  reply: FastifyReply,
  key: string,
  parts: EdgeParts,
  done: HookHandlerDoneFunction,
): void {
  parts.idempotency
    .reserve(request.caller!.workspace, key, requestFingerprint(request.method, request.url, request.body))
    .then((reserved) => {
      if ('reservation' in reserved) {
        request.reservation = reserved.reservation;
        return done();
      }
      const { status, headers, body } = reserved.answer;
      reply.code(status).headers(headers).header(REPLAYED, 'true').send(body);
    })
    .catch((error: unknown) => fail(error, request, reply, parts));
}

function notFound(code: string): Problem {
  const { status, title } = errorCodes.get(code)!;
  return new Problem(status, code, title);
}

/** Replaces body and query by checked instances of the route's own classes. */
function checkInput(request: FastifyRequest, { body, query, absent = [] }: RouteContract): void {
  // No thing has such an id, and no engine may be asked for it; nor may one come into being with it, which its route says.
  for (const [index, part] of Object.values(request.params as Record<string, string>).entries())
    if (absent[0] && UNSTORABLE.test(part)) throw notFound(absent[index] ?? absent[0]);
  const wrong = Object.entries(request.query as Record<string, unknown>).filter(([name, value]) =>
    UNSTORABLE.test(`${name}${String(value)}`),
  );
  if (wrong.length > 0)
    throw invalid(
      ...wrong.map(([name]) => ({
        pointer: `/${escapePointer(name)}`,
        message: 'holds a character that cannot be stored',
      })),
    );
  if (query) request.query = validated(query, request.query);
  else refuseNames(request.query as object);
  if (body) request.body = validated(body, request.body === undefined ? {} : request.body);
  else if (request.body !== undefined) checkEmpty(request.body);
}

function checkEmpty(body: unknown): void {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid({ pointer: '', message: 'must be a JSON object' });
  refuseNames(body);
}

/** Where nothing is asked for, every name is unknown. */
function refuseNames(given: object): void {
  const unknown = Object.keys(given);
  if (unknown.length > 0) throw invalid(...unknown.map((name) => unknownName(name)));
}

/** An answer as its caller may read it: things that have lost something to an erasure say so. */
function opened(workspace: string, payload: string, { personal }: EdgeParts): string | Promise<string> {
  const now = personal.openNow(workspace, payload);
  return now && !now.erased ? now.text : openedAnew(workspace, payload, personal);
}

async function openedAnew(workspace: string, payload: string, personal: SubjectKeys): Promise<string> {
  const open = await personal.opener(workspace, payload);
  const { text, erased } = open(payload);
  if (!erased) return text;
  return JSON.stringify(openThing(JSON.parse(payload), open));
}

/** Keeps the answer, or gives the key back when the failure is ours. Who asks too often is refused before there is anything to keep. */
async function settle(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  { idempotency }: EdgeParts,
): Promise<void> {
  const reservation = request.reservation!;
  request.reservation = null;
  if (reply.statusCode >= 500) return idempotency.giveBack(reservation);
  const headers = Object.fromEntries(
    KEPT_HEADERS.flatMap((name) => (reply.hasHeader(name) ? [[name, String(reply.getHeader(name))]] : [])),
  );
  const answer: KeptAnswer = { status: reply.statusCode, headers, body: typeof payload === 'string' ? payload : '' };
  await idempotency.keep(reservation, answer);
}
