import type { LoggerService } from '@nestjs/common';
import type { Logger } from '../logger';

/** Nest's own lines, in our format: its start-up chatter is for debugging. */
export const nestLogger = (log: Logger): LoggerService => ({
  log: (message: unknown, ...context: unknown[]) => log.debug({ context: context.at(-1) }, String(message)),
  // What the application itself has to say it also throws, and who starts it says so in a sentence.
  error: (message: unknown, ...context: unknown[]) =>
    context.at(-1) === 'NestApplication'
      ? log.debug(String(message))
      : log.error({ context: context.at(-1) }, String(message)),
  warn: (message: unknown, ...context: unknown[]) => log.warn({ context: context.at(-1) }, String(message)),
  debug: (message: unknown) => log.trace(String(message)),
  verbose: (message: unknown) => log.trace(String(message)),
  fatal: (message: unknown, ...context: unknown[]) => log.fatal({ context: context.at(-1) }, String(message)),
});
