import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Histogram } from 'prom-client';
import { EventStoreUnavailableError } from '#event-store';
import { sparingly, type Engines } from '#platform';
import { useClock } from './http/call';
import { installHooks } from './http/hooks';
import { ProblemFilter } from './http/problem.filter';
import { IdempotencyStore } from './idempotency/idempotency-store';
import { KeyStore } from './keys/key-store';
import { serveDocument } from './openapi/serve-document';
import { RateLimit } from './rate-limit/rate-limit';

/** The http side of the api: keys, input, problems, documents. Call it before the application listens. */
export function configureApi(app: NestFastifyApplication, engines: Engines): void {
  const server = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  // Once in a while, however many they are.
  const now = sparingly((err) => engines.log.warn({ err }, 'requests are answered 503'));
  // An engine may answer whoever asks for its health, and refuse this: a database without space, or too busy for the time it was given.
  const onOutage = (error: unknown) => {
    engines.health.fault(error instanceof EventStoreUnavailableError ? 'eventStore' : 'database', error as Error);
    now(() => (error as Error).message);
  };
  const onDefect = (error: unknown, request: FastifyRequest) => {
    const { stack, message } = error as Error;
    engines.log.error(
      {
        err: stack ?? message ?? String(error),
        method: request.method,
        route: request.routeOptions?.url,
        correlationId: request.trace?.correlationId,
      },
      'a request failed',
    );
  };
  useClock(server, engines.clock);
  // Nest would add parsers of its own, for forms too; here a body is JSON or it is refused.
  Object.assign(app.getHttpAdapter(), { registerParserMiddleware: () => undefined });
  installHooks(server, {
    keys: app.get(KeyStore),
    personal: engines.keys,
    idempotency: app.get(IdempotencyStore),
    rateLimit: new RateLimit(engines.db),
    durations: new Histogram({
      name: 'postledger_http_request_seconds',
      help: 'Time from the request to its answer',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers: [engines.metrics],
    }),
    onDefect,
    onOutage,
  });
  app.useGlobalFilters(new ProblemFilter(methodsOf(server), { onDefect, onOutage }));
  serveDocument(app, server);
}

/** Learns every route as it is made, so that a wrong method on a right path can be told from a wrong path. */
function methodsOf(server: FastifyInstance): (path: string) => string[] {
  const routes: { method: string; path: RegExp }[] = [];
  server.addHook('onRoute', ({ method, url }) => {
    const path = new RegExp(
      `^${url
        .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
        .replace(/:[^/]+/g, '[^/]+')
        .replace(/\*/g, '.*')}$`,
    );
    for (const each of Array.isArray(method) ? method : [method]) routes.push({ method: each, path });
  });
  return (path) => {
    const found = routes
      .filter((route) => route.path.test(path) && route.path.source !== '^.*$')
      .map(({ method }) => method);
    return [...new Set(found)].sort();
  };
}
