import { destination, pino, stdTimeFunctions, type Logger } from 'pino';

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

/** Lines that wait for space, as on a full disk; beyond so many bytes they are lost. */
const MAX_WAITING = 1024 * 1024;

/** Structured lines on standard output, one an event of interest. One that cannot be written holds nothing up. */
export function createLogger(name: string, level: string): Logger {
  const output = destination({ fd: 1, sync: true, maxLength: MAX_WAITING });
  output.on('error', () => undefined);
  // Every line has been tried at once; this would try for as long as there is no space.
  output.flushSync = () => undefined;
  return pino(
    {
      name,
      level,
      base: { name },
      timestamp: stdTimeFunctions.isoTime,
      redact: { paths: [...SECRET, ...SECRET.map((field) => `*.${field}`)], censor: '[secret]' },
    },
    output,
  );
}
