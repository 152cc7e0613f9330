import { pino, stdTimeFunctions, type Logger } from 'pino';

export type { Logger };

/** Fields that no line may ever hold in clear. */
const SECRET = [
  'secret',
  'signingSecret',
  'apiKey',
  'key',
  'authorization',
  'headers.authorization',
  'password',
  'body',
];

/** Structured lines on standard output, one an event of interest. */
export const createLogger = (name: string, level: string): Logger =>
  pino({
    name,
    level,
    base: { name },
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths: [...SECRET, ...SECRET.map((field) => `*.${field}`)], censor: '[secret]' },
  });
