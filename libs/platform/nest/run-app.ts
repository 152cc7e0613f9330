import 'reflect-metadata';
import { createServer, type Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { shared } from '#kernel';
import { EmbeddedServerError, OtherHistoryError } from '#postgres';
import { loadSettings, SettingsError, type Settings } from '../config/settings';
import { openEngines, type Engines, type OpenOptions } from '../engines';
import { createLogger } from '../logger';
import { isEngineOutage } from '../outage';
import { reachDatabase } from '../wait-for';
import { refuseHostless } from './hostless';
import { latestRequests } from './latest-requests';
import { nestLogger } from './nest-logger';
import { PlatformModule } from './platform.module';
import { StartupServer } from './startup-server';
import { refuseUnreadable } from './unreadable';
import { refuseUnroutable } from './unroutable';
import { endUntaken } from './untaken-answers';
import { endUnusedConnections } from './unused-connections';

/** One app, or several composed. */
export interface AppDefinition {
  readonly name: string;
  /** Port where PORT is not set. */
  readonly port: number;
  readonly modules: (engines: Engines) => DynamicModule[];
  /** Pipes, filters, documents: whatever the http side needs before it listens. */
  readonly configure?: (app: NestFastifyApplication, engines: Engines) => void | Promise<void>;
  /** Transports that the app consumes as a Nest microservice. */
  readonly microservices?: (engines: Engines) => MicroserviceOptions[];
}

export interface RunningApp {
  readonly engines: Engines;
  readonly url: string;
  /** Where /metrics is, when METRICS_PORT gives it a port of its own. */
  readonly metricsUrl: string | undefined;
  readonly app: NestFastifyApplication;
  /** Is not ready any more; after the delay that is set takes no more work, finishes what is in hand, closes the engines. */
  stop(): Promise<void>;
}

/** Bodies above this are 413; the limit is API.md's. */
const BODY_LIMIT = 256 * 1024;
/** For a request to come in, from its first byte to its last. Node's own bound, which Fastify takes away. */
const REQUEST_TIMEOUT_MS = 300_000;

@Module({})
class RootModule {}

/**
 * Opens the engines, starts the modules, listens. Where an engine goes away meanwhile it begins anew once that is back. While it waits for
 * one, the port answers for what. Rejects with one clear sentence when the port is taken.
 */
export async function startApp(
  definition: AppDefinition,
  settings: Settings,
  options: Partial<OpenOptions> = {},
): Promise<RunningApp> {
  const { name } = definition;
  const at = { host: settings.host, port: settings.port ?? definition.port };
  const log = options.log ?? createLogger(name, settings.logLevel);
  const onOtherHistory = () => fail(new OtherHistoryError());
  for (;;) {
    const startup = new StartupServer(name, at);
    const onWait = (sentence: string) => {
      startup.wait(sentence);
      if (options.onWait) options.onWait(sentence);
      else log.warn(sentence);
    };
    try {
      const engines = await openEngines(settings, { name, onOtherHistory, ...options, log, onWait });
      startup.goOn();
      const begun: Begun = { app: undefined };
      try {
        return await startOn(engines, definition, begun, startup);
      } catch (error) {
        const isPassing = isEngineOutage(error);
        if (isPassing) {
          onWait(`Beginning anew, for an engine went away during the start: ${(error as Error).message}`);
          await pause(BEGIN_AGAIN_MS);
          // What is half up says goodbye to a database that answers.
          await reachDatabase(engines.db, onWait);
        }
        const isDown = await putDown(engines, begun);
        if (!isPassing || !isDown) throw error;
      }
    } finally {
      await startup.close();
    }
  }
}

const BEGIN_AGAIN_MS = 250;

/** How far a start has come. */
interface Begun {
  app: NestFastifyApplication | undefined;
}

async function startOn(
  engines: Engines,
  definition: AppDefinition,
  begun: Begun,
  startup: StartupServer,
): Promise<RunningApp> {
  const { settings } = engines;
  const root: DynamicModule = {
    module: RootModule,
    imports: [PlatformModule.forRoot(engines), ...definition.modules(engines)],
  };
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: 65_000,
    forceCloseConnections: 'idle',
    // Counted before escapes are read: 200 characters of a name can take twelve each. What is longer is a 414.
    routerOptions: { maxParamLength: 4_096 },
    http: { requireHostHeader: false },
    frameworkErrors: refuseUnroutable,
    clientErrorHandler: refuseUnreadable,
  });
  const app = await NestFactory.create<NestFastifyApplication>(root, adapter, {
    logger: nestLogger(engines.log),
    abortOnError: false,
  });
  begun.app = app;
  const fastify = adapter.getInstance();
  refuseHostless(fastify);
  const latest = latestRequests(fastify.server);
  endUnusedConnections(fastify, latest);
  endUntaken(fastify.server, latest);
  await definition.configure?.(app, engines);
  for (const microservice of definition.microservices?.(engines) ?? []) app.connectMicroservice(microservice);
  // First the modules, then what feeds them.
  await app.init();
  await app.startAllMicroservices();
  const port = settings.port ?? definition.port;
  await startup.close();
  await app.listen({ host: settings.host, port }).catch((error: NodeJS.ErrnoException) => {
    throw refused(error, 'PORT', settings.host, port);
  });
  const metrics = await serveMetrics(engines);
  const { port: bound } = app.getHttpServer().address() as { port: number };
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    engines.health.drain();
    await pause(settings.shutdownDelaySeconds * 1_000);
    metrics?.close();
    await app.close();
    await engines.close();
  };
  return {
    engines,
    app,
    url: urlOf(settings.host, bound),
    metricsUrl: metrics && `${urlOf(settings.host, (metrics.address() as { port: number }).port)}/metrics`,
    stop: () => (stopping ??= stop()),
  };
}

/** Ends what had begun; whether nothing of it is left. */
async function putDown(engines: Engines, { app }: Begun): Promise<boolean> {
  try {
    await app?.close();
    await engines.close();
    return true;
  } catch (error) {
    engines.log.warn({ err: (error as Error).message }, 'engines did not close');
    return false;
  }
}

/** `main` of an app that runs alone: settings from the environment, signals, exit codes. */
export async function runApp(definition: AppDefinition): Promise<void> {
  try {
    const [arg] = process.argv.slice(2);
    if (arg === '--help' || arg === '-h') return void process.stdout.write(help(definition));
    if (arg !== undefined) throw new SettingsError(`${arg} is not an option: there is --help.`);
    const settings = loadSettings();
    const running = await startApp(definition, settings);
    const { url, metricsUrl, engines } = running;
    engines.log.info({ url, ...(metricsUrl && { metricsUrl }) }, `${definition.name} is ready`);
    const stop = () => {
      engines.log.info(`${definition.name} drains`);
      return running.stop();
    };
    stopOnSignals({ stop }, settings, async () => engines.log.info(`${definition.name} has stopped`));
  } catch (error) {
    fail(error);
  }
}

const help = ({
  name,
  port,
}: AppDefinition): string => `npm run ${name}   the app ${name} alone, on port ${port} unless PORT says another

  --help   this text

It takes no other option: DATABASE_URL and every other setting come from the environment, and .env.example tells of each.
`;

const DRAIN_MS = 30_000;
/** One Ctrl-C may arrive twice: from the terminal, and passed on by npm. */
const ECHO_MS = 1_000;

/** SIGTERM, SIGINT and SIGHUP (a terminal that is closed) drain, within 30 s after the delay that is set; a second signal ends at once. */
export function stopOnSignals(
  running: Pick<RunningApp, 'stop'>,
  { shutdownDelaySeconds }: Pick<Settings, 'shutdownDelaySeconds'>,
  after: () => Promise<void> = async () => undefined,
): void {
  let first: number | undefined;
  const onSignal = () => {
    if (first !== undefined) {
      if (performance.now() - first > ECHO_MS) process.exit(1);
      return;
    }
    first = performance.now();
    setTimeout(() => process.exit(1), shutdownDelaySeconds * 1_000 + DRAIN_MS).unref();
    running
      .stop()
      .then(after)
      .then(
        () => process.exit(0),
        (error: Error) => fail(error),
      );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', onSignal);
}

/** Ends the process with one sentence for what the user can mend, and with the stack for what only we can. */
export function fail(error: unknown): never {
  process.stderr.write(`${lastWords(error)}\n`);
  process.exit(1);
}

function lastWords(error: unknown): string {
  if (error instanceof SettingsError || error instanceof EmbeddedServerError)
    return `Postledger cannot start. ${error.message}`;
  if (error instanceof OtherHistoryError)
    return `Postledger ends. ${error.message}: start it again, and it reads anew.`;
  return (error as Error).stack ?? String(error);
}

const urlOf = (host: string, port: number): string => `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

const NO_ADDRESS = ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL'];

function refused(error: NodeJS.ErrnoException, variable: string, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE')
    return new SettingsError(
      `Port ${port} on ${host} is in use: stop what listens there, or set ${variable} to another.`,
      { cause: error },
    );
  if (error.code === 'EACCES')
    return new SettingsError(`Port ${port} may not be opened by this user: set ${variable} to one above 1023.`, {
      cause: error,
    });
  if (NO_ADDRESS.includes(error.code ?? ''))
    return new SettingsError(`HOST ${host} is not an address of this machine.`, { cause: error });
  return error;
}

async function serveMetrics({ settings, metrics }: Engines): Promise<Server | undefined> {
  if (settings.metricsPort === undefined) return undefined;
  const told = shared(() => metrics.metrics());
  const server = createServer((_request, response) => {
    told().then(
      (text) => response.setHeader('content-type', metrics.contentType).end(text),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  await new Promise<void>((done, fail) =>
    server
      .once('error', (error) => fail(refused(error, 'METRICS_PORT', settings.host, settings.metricsPort!)))
      .listen(settings.metricsPort, settings.host, done),
  );
  return server;
}
