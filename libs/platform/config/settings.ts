import { Resolver } from 'node:dns';
import { isIP } from 'node:net';

/** One environment variable: where it comes from, what it means, how its text becomes a value. */
interface Setting<T> {
  readonly variable: string;
  /** As the reference shows it. */
  readonly default: string;
  readonly means: string;
  /** Throws an Error whose message continues "<VARIABLE> …". */
  readonly parse: (text: string | undefined, context: { mode: Mode }) => T;
}

export type Mode = 'sandbox' | 'production';

const text = (fallback: string) => (value: string | undefined) => value || fallback;
const optional = (value: string | undefined) => value || undefined;
const oneOf =
  <T extends string>(values: readonly T[], fallback: (mode: Mode) => T) =>
  (value: string | undefined, { mode }: { mode: Mode }): T => {
    if (!value) return fallback(mode);
    if (!values.includes(value as T)) throw new Error(`must be one of ${values.join(', ')}, not "${value}"`);
    return value as T;
  };
const number = (fallback: number, min: number, max: number) => (value: string | undefined) => {
  if (!value) return fallback;
  if (value.trim() === '') throw new Error('must be a number, not blank');
  const parsed = Number(value);
  if (!Number.isFinite(parsed) || parsed < min || parsed > max)
    throw new Error(`must be a number from ${min} to ${max}, not "${value}"`);
  return parsed;
};
const whole = (fallback: number, min: number, max: number) => (value: string | undefined) => {
  const parsed = number(fallback, min, max)(value);
  if (!Number.isInteger(parsed)) throw new Error(`must be a whole number, not "${value}"`);
  return parsed;
};
const url = (schemes: readonly string[]) => (value: string | undefined) => {
  if (!value) return undefined;
  if (!schemes.some((scheme) => value.startsWith(`${scheme}://`)))
    throw new Error(`must begin with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);
  return value;
};
const isPortIfAny = (text: string): boolean => text === '' || (/^\d{1,5}$/.test(text) && +text > 0 && +text <= 65_535);
const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];
/** The options of a `postgres://…`, as its client will read it. The value is not repeated: it may hold a password. */
const postgresOptions = (address: string): URLSearchParams => {
  try {
    const { username, password, pathname, port, searchParams } = new URL(address);
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    if (![port, ...searchParams.getAll('port')].every(isPortIfAny)) throw new RangeError('a port that there cannot be');
    return searchParams;
  } catch (error) {
    throw new Error(
      'is not of the form postgres://user:password@host:port/database (write # / ? @ % in a user or password as %23 %2F %3F %40 %25)',
      { cause: error },
    );
  }
};
const postgresUrl = (value: string | undefined) => {
  const given = url(['postgres', 'postgresql'])(value);
  if (given === undefined) return undefined;
  // The client takes one that it does not know for verify-full.
  const mode = postgresOptions(given)
    .getAll('sslmode')
    .find((asked) => asked !== '' && !SSL_MODES.includes(asked));
  if (mode !== undefined) throw new Error(`has sslmode=${mode}; there are ${SSL_MODES.join(', ')}`);
  return given;
};
/** What a bearer token in a header can be. */
const apiKey = (value: string | undefined) => {
  if (!value) return undefined;
  if (!/^[\x21-\x7e]{1,512}$/.test(value))
    throw new Error('must be up to 512 visible ASCII characters without spaces: it is sent in a header');
  return value;
};
/** Node sends to another port in place of one that is too high, and ends the process for port 0. */
const hasPossiblePort = (server: string): boolean => {
  const port = isIP(server) ? undefined : /:(\d+)$/.exec(server)?.[1];
  return isPortIfAny(port ?? '');
};
const nameServers = (value: string | undefined): readonly string[] | undefined => {
  if (!value) return undefined;
  const servers = value.split(',').map((server) => server.trim());
  try {
    if (!servers.every(hasPossiblePort)) throw new RangeError('a port that there cannot be');
    new Resolver().setServers(servers);
  } catch (error) {
    throw new Error(`must be addresses of name servers, with a port if need be, separated by commas, not "${value}"`, {
      cause: error,
    });
  }
  return servers;
};
/** Whether a text is a secret key: 32 bytes in base64. */
export const isSecretKey = (text: string): boolean => Buffer.from(text, 'base64').length === 32;
const secretKey = (value: string | undefined) => {
  if (!value) return undefined;
  if (!isSecretKey(value)) throw new Error('must be 32 bytes in base64 (openssl rand -base64 32)');
  return value;
};

/** Every setting of every app. `.env.example` and docs/reference/settings.md are generated from it. */
export const settingsSchema = {
  mode: {
    variable: 'POSTLEDGER_MODE',
    default: '`sandbox` under `npm start`, else `production`',
    means: 'only the sandbox lets a webhook target be `http://`, and then only to loopback',
    parse: (value) => oneOf(['sandbox', 'production'], () => 'production')(value, { mode: 'production' }),
  } as Setting<Mode>,
  host: {
    variable: 'HOST',
    default: '127.0.0.1',
    means: 'address that the http servers listen on',
    parse: text('127.0.0.1'),
  } as Setting<string>,
  port: {
    variable: 'PORT',
    default: '3000 (api and npm start), 3001 (projector), 3002 (delivery), 3003 (publisher)',
    means: 'port of the http server; 0 takes any free one',
    parse: (value) => (value ? whole(0, 0, 65_535)(value) : undefined),
  } as Setting<number | undefined>,
  metricsPort: {
    variable: 'METRICS_PORT',
    default: 'that of PORT',
    means: 'serves /metrics on a port of its own instead',
    parse: (value) => (value ? whole(0, 0, 65_535)(value) : undefined),
  } as Setting<number | undefined>,
  dataDir: {
    variable: 'DATA_DIR',
    default: '.data',
    means: 'all local state; a killed run starts again from it',
    parse: text('.data'),
  } as Setting<string>,
  databaseUrl: {
    variable: 'DATABASE_URL',
    default: 'an embedded PostgreSQL in DATA_DIR',
    means:
      '`postgres://…[?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem]`: read models, outbox, deliveries; also the event store and the bus unless these are set',
    parse: postgresUrl,
  } as Setting<string | undefined>,
  rowSecurity: {
    variable: 'ROW_SECURITY',
    default: 'preferred',
    means:
      'second lock on reads of the api: PostgreSQL itself shows them one workspace only. `preferred`: where the database user can make the role `postledger_reader`; `required`: refuse to start without; `off`',
    parse: oneOf(['preferred', 'required', 'off'], () => 'preferred'),
  } as Setting<'preferred' | 'required' | 'off'>,
  eventStoreUrl: {
    variable: 'EVENT_STORE_URL',
    default: 'the PostgreSQL of DATABASE_URL',
    means: '`esdb://…` (or `kurrentdb://…`): EventStoreDB holds the log',
    parse: url(['esdb', 'esdb+discover', 'kurrentdb', 'kurrentdb+discover']),
  } as Setting<string | undefined>,
  busUrl: {
    variable: 'BUS_URL',
    default: 'the PostgreSQL of DATABASE_URL',
    means: '`kafka://[user:password@]host:port,host:port[?tls=true&mechanism=scram-sha-256]`: Kafka is the bus',
    parse: url(['kafka']),
  } as Setting<string | undefined>,
  kafkaUsername: {
    variable: 'KAFKA_USERNAME',
    default: 'that of BUS_URL',
    means: 'SASL user of Kafka, where it should not stand in a URL',
    parse: optional,
  } as Setting<string | undefined>,
  kafkaPassword: {
    variable: 'KAFKA_PASSWORD',
    default: 'that of BUS_URL',
    means: 'its password',
    parse: optional,
  } as Setting<string | undefined>,
  kafkaCaFile: {
    variable: 'KAFKA_CA_FILE',
    default: "Node's own authorities",
    means: 'certificate authority, in PEM, that signed the certificates of the brokers',
    parse: optional,
  } as Setting<string | undefined>,
  busPartitions: {
    variable: 'BUS_PARTITIONS',
    default: '12',
    means: 'partitions of a Kafka topic that is made because it is missing; an existing one is never changed',
    parse: whole(12, 1, 1_000),
  } as Setting<number>,
  apiKey: {
    variable: 'POSTLEDGER_API_KEY',
    default: 'made and printed once',
    means: "the first workspace's key, with all scopes",
    parse: apiKey,
  } as Setting<string | undefined>,
  secretKey: {
    variable: 'POSTLEDGER_SECRET_KEY',
    default: 'sandbox: made in DATA_DIR',
    means:
      'base64, 32 bytes (`openssl rand -base64 32`): encrypts secrets at rest; production refuses to start without it',
    parse: secretKey,
  } as Setting<string | undefined>,
  secretKeyPrevious: {
    variable: 'POSTLEDGER_SECRET_KEY_PREVIOUS',
    default: 'none',
    means:
      'the key before, for the first start with another: it is kept in the database, closed with that one, and still decrypts',
    parse: secretKey,
  } as Setting<string | undefined>,
  secretKeyNext: {
    variable: 'POSTLEDGER_SECRET_KEY_NEXT',
    default: 'none',
    means:
      'the key after, while processes get it one by one: what others have closed with it is opened, and nothing is closed with it yet',
    parse: secretKey,
  } as Setting<string | undefined>,
  retryScale: {
    variable: 'RETRY_SCALE',
    default: '1',
    means: 'multiplies every retry delay (not Retry-After); production refuses another value than 1',
    parse: number(1, 0, 1_000),
  } as Setting<number>,
  publisher: {
    variable: 'PUBLISHER',
    default: '`simulated` in the sandbox, else `none`',
    means: 'the reference publisher; with `none` outcomes come only through the API',
    parse: oneOf(['simulated', 'none'], (mode) => (mode === 'sandbox' ? 'simulated' : 'none')),
  } as Setting<'simulated' | 'none'>,
  logLevel: {
    variable: 'LOG_LEVEL',
    default: '`info` (`warn` under npm start)',
    means: 'trace, debug, info, warn, error or silent',
    parse: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent'], () => 'info'),
  } as Setting<string>,
  databasePool: {
    variable: 'DATABASE_POOL',
    default: '10 (24 under npm start)',
    means: 'connections to PostgreSQL a process may hold, 5 at least',
    // One leads, two intakes may wait for a change of an endpoint, and that change reads on one more: with fewer it waits for them.
    parse: (value) => (value ? whole(10, 5, 500)(value) : undefined),
  } as Setting<number | undefined>,
  deliveryConcurrency: {
    variable: 'DELIVERY_CONCURRENCY',
    default: '256',
    means: 'webhooks that one delivery process has in flight at once',
    parse: whole(256, 1, 10_000),
  } as Setting<number>,
  snapshotEvents: {
    variable: 'SNAPSHOT_EVENTS',
    default: '200',
    means:
      'streams of so many events have their state kept, so that a process need not fold them from the first; 0 keeps none',
    parse: whole(200, 0, 1_000_000),
  } as Setting<number>,
  webhookNameServers: {
    variable: 'WEBHOOK_NAME_SERVERS',
    default: 'the hosts file and name servers of the machine',
    means:
      '`address[:port]`, separated by commas: who resolves the names of webhook targets, such as a resolver that knows no internal names',
    parse: nameServers,
  } as Setting<readonly string[] | undefined>,
  shutdownDelaySeconds: {
    variable: 'SHUTDOWN_DELAY_SECONDS',
    default: '0',
    means:
      'how long a process that is told to end goes on as before, while `/health/ready` is 503 already, so that a load balancer sends it nothing more when it stops listening',
    parse: number(0, 0, 300),
  } as Setting<number>,
  retentionDays: {
    variable: 'RETENTION_DAYS',
    default: '30',
    means: 'days that bodies, attempts and finished deliveries are kept',
    parse: number(30, 1, 3_650),
  } as Setting<number>,
} as const;

type Parsed<S> = S extends Setting<infer T> ? T : never;
export type Settings = { readonly [K in keyof typeof settingsSchema]: Parsed<(typeof settingsSchema)[K]> };

/** A setting that cannot be used: one clear sentence that names the variable. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

/** Reads the settings from an environment. Throws SettingsError, naming every variable that is wrong. */
export function loadSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const wrong: string[] = [];
  const parse = <T>({ variable, parse }: Setting<T>, mode: Mode): T => {
    try {
      return parse(env[variable], { mode });
    } catch (error) {
      wrong.push(`${variable} ${(error as Error).message}.`);
      return undefined as T;
    }
  };
  const { mode: modeSetting, ...others } = settingsSchema;
  const mode = parse(modeSetting, 'production');
  const settings = Object.fromEntries([
    ['mode', mode],
    ...Object.entries(others).map(([name, setting]) => [
      name,
      parse(setting as Setting<unknown>, mode ?? 'production'),
    ]),
  ]) as Settings;
  // What is there and cannot be read was said above.
  if (mode === 'production' && ![1, undefined].includes(settings.retryScale))
    wrong.push('RETRY_SCALE must be 1 in production.');
  if (mode === 'production' && !env[settingsSchema.secretKey.variable])
    wrong.push('POSTLEDGER_SECRET_KEY is missing: production needs 32 bytes in base64 (openssl rand -base64 32).');
  if (wrong.length > 0) throw new SettingsError(wrong.join(' '));
  return settings;
}

/** The text of `.env.example`. */
export const envExample = (): string =>
  [
    '# Every setting of Postledger, with its default. Generated; change libs/platform/config/settings.ts instead.',
    '# They are taken from the environment. No file is read by itself: `set -a; . ./.env; set +a` gives a shell, and what it starts, those of a .env,',
    '# in which a value with an & or another character of the shell stands in single quotes.',
    ...Object.values(settingsSchema).flatMap(({ variable, default: fallback, means }) => [
      '',
      `# ${means}`,
      `# default: ${fallback}`,
      `#${variable}=`,
    ]),
  ].join('\n') + '\n';

/** The text of docs/reference/settings.md. */
export const settingsReference = (): string =>
  [
    '# Settings',
    '',
    'Generated from `libs/platform/config/settings.ts`.',
    '',
    '| variable | default | means |',
    '|---|---|---|',
    ...Object.values(settingsSchema).map(
      ({ variable, default: fallback, means }) =>
        `| \`${variable}\` | ${fallback.replaceAll('|', '\\|')} | ${means.replaceAll('|', '\\|')} |`,
    ),
  ].join('\n') + '\n';
