import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { CommandHandler, EventStoreRefusedError, type EventStore } from '#event-store';
import { PostgresEventStore } from '#event-store/postgres/postgres-event-store';
import { PostgresSnapshots } from '#event-store/postgres/postgres-snapshots';
import { systemClock, type Clock } from '#kernel';
import { BusRefusedError, type Bus } from '#messaging';
import { PostgresBus } from '#messaging/postgres/postgres-bus';
import { PostgresKeyTable, SubjectKeys } from '#personal-data';
import { Database, lockRows, migrate } from '#postgres';
import { SettingsError, settingsSchema, type Settings } from './config/settings';
import { databaseHealth } from './database-health';
import { Health } from './health';
import { createLogger, type Logger } from './logger';
import { openSecretBox } from './master-key';
import { expectOwnLog } from './own-log';
import { patientBus } from './patient-bus';
import { sandboxKey } from './sandbox-key';
import type { SecretBox } from './secret-box';
import { Wake } from './wake';
import { expectSessions, onDatabase, reachDatabase, until } from './wait-for';

/** What one process stands on: opened once, handed to every module. */
export interface Engines {
  readonly name: string;
  readonly settings: Settings;
  readonly log: Logger;
  readonly clock: Clock;
  readonly db: Database;
  readonly store: EventStore;
  readonly commands: CommandHandler;
  readonly bus: Bus;
  /** The bus on PostgreSQL, whose log is the outbox; the same object as `bus` unless Kafka is the bus. */
  readonly outbox: PostgresBus;
  readonly secrets: SecretBox;
  /** Seals what is personal in events, and opens it on its way out. */
  readonly keys: SubjectKeys;
  readonly metrics: Registry;
  readonly health: Health;
  readonly wake: Wake;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly name: string;
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Hears what start-up waits for, once every few seconds. */
  readonly onWait?: (sentence: string) => void;
  /** PostgreSQL has gone back behind what this process has seen: nothing is asked of it any more, and the process has to begin anew. */
  readonly onOtherHistory?: () => void;
}

/**
 * Opens every engine that the settings choose, waiting for those that are not there yet and saying what it waits for.
 * Rejects with a SettingsError, in one sentence, when waiting cannot help (a refused password, a missing database).
 */
export async function openEngines(settings: Settings, options: OpenOptions): Promise<Engines> {
  const log = options.log ?? createLogger(options.name, settings.logLevel);
  const onWait = options.onWait ?? ((sentence) => log.warn(sentence));
  const clock = options.clock ?? systemClock;
  if (!settings.databaseUrl)
    throw new SettingsError(
      'DATABASE_URL is missing: a part that runs alone needs a PostgreSQL of yours (npm start brings its own).',
    );
  const onError = (error: Error) => log.warn({ err: error.message }, 'database connection lost');
  const db = new Database(settings.databaseUrl, {
    max: settings.databasePool ?? 10,
    name: `postledger ${options.name}`,
    onError,
    ...(options.onOtherHistory && { onOtherHistory: options.onOtherHistory }),
  });
  try {
    return await openOn(db, settings, { name: options.name, log, clock, onWait, onError });
  } catch (error) {
    // Nobody is left to hear that its connections are lost.
    await db.end();
    throw error;
  }
}

type Opening = Required<Omit<OpenOptions, 'onOtherHistory'>> & { readonly onError: (error: Error) => void };

async function openOn(db: Database, settings: Settings, options: Opening): Promise<Engines> {
  const { log, clock, onWait, onError } = options;
  // What is wrong with their addresses need not wait for PostgreSQL to be there.
  const eventStoreDb = await openEventStoreDb(settings);
  const kafka = await openKafka(settings, log);
  await reachDatabase(db, onWait);
  await onDatabase(db, () => expectSessions(db), onWait);
  const applied = await onDatabase(db, () => migrate(db, onWait), onWait);
  if (applied.length > 0) log.info({ applied }, 'database migrated');

  const unlocked = await onDatabase(db, () => secureRows(db, settings, log), onWait);
  const key = settings.secretKey ?? sandboxKey(settings);
  const given = { present: key, previous: settings.secretKeyPrevious, next: settings.secretKeyNext };
  const secrets = await onDatabase(db, () => openSecretBox(db, given), onWait);
  const snapshots = new PostgresSnapshots(db, {
    box: secrets,
    onFault: (error) => log.warn({ err: error.message }, 'a snapshot is left out'),
  });
  const wake = new Wake(db, onError);
  const keyTable = new PostgresKeyTable(db);
  const keys = new SubjectKeys({ table: keyTable, wrapping: secrets, news: wake });
  if (settings.secretKeyPrevious) await onDatabase(db, () => rewrapKeys(keyTable, secrets, log), onWait);
  const outbox = new PostgresBus(db, {
    onFault: (error) => log.warn({ err: error.message }, 'the days of the bus are looked after later'),
  });
  const store =
    eventStoreDb ??
    new PostgresEventStore(db, {
      onFault: (error) => log.warn({ err: error.message }, 'others hear of an append later'),
    });
  const bus = kafka ? patientBus(kafka, onWait) : outbox;
  await until('the event store', () => letIn(store), onWait);
  await until('the event store', () => expectOwnLog(db, store), onWait);
  await until('the bus', () => letIn(bus), onWait);

  const metrics = new Registry();
  metrics.setDefaultLabels({ app: options.name });
  collectDefaultMetrics({ register: metrics });
  new Gauge({
    name: 'postledger_row_security',
    help: '1: PostgreSQL shows reads of the api one workspace only; 0: they stand on their own conditions',
    registers: [metrics],
  }).set(unlocked === undefined ? 1 : 0);
  const health = new Health();
  health.part('database', async () => ({
    ...(await databaseHealth(db, secrets)),
    rowSecurity: unlocked === undefined ? 'on' : `off: ${unlocked}`,
  }));
  health.part('eventStore', async () => ({ ok: true, ...(await store.check()) }));
  health.part('bus', async () => ({ ok: true, ...(await bus.check()) }));

  return {
    name: options.name,
    settings,
    log,
    clock,
    db,
    store,
    commands: new CommandHandler(store, {
      sealing: keys,
      ...(settings.snapshotEvents > 0 && { snapshots: { snapshots, every: settings.snapshotEvents } }),
    }),
    bus,
    outbox,
    secrets,
    keys,
    metrics,
    health,
    wake,
    async close() {
      keys.close();
      await bus.close();
      if (bus !== outbox) await outbox.close();
      await store.close();
      await snapshots.write();
      await db.end();
    },
  };
}

/** Turns the second lock on; resolves with why it is off. Rejects when it is required and cannot be had. */
async function secureRows(db: Database, { rowSecurity }: Settings, log: Logger): Promise<string | undefined> {
  if (rowSecurity === 'off') return 'ROW_SECURITY says so';
  const reason = await lockRows(db);
  if (reason === undefined) return undefined;
  if (rowSecurity === 'required')
    throw new SettingsError(`ROW_SECURITY is required, and the database cannot have it: ${reason}.`);
  log.warn({ reason }, 'row-level security is off: reads of the api stand on their own conditions alone');
  return reason;
}

/** After a change of the master key no key of a subject needs the former one to be read. */
async function rewrapKeys(table: PostgresKeyTable, secrets: SecretBox, log: Logger): Promise<void> {
  const count = await table.rewrap(
    (box) => !secrets.isPresent(box),
    (box) => secrets.encrypt(secrets.decrypt(box)),
  );
  if (count > 0) log.info({ count }, 'keys of subjects wrapped with the present POSTLEDGER_SECRET_KEY');
}

/** Undefined where PostgreSQL holds the log. */
async function openEventStoreDb({ eventStoreUrl }: Settings): Promise<EventStore | undefined> {
  if (!eventStoreUrl) return undefined;
  // Its client and gRPC are loaded by those who use them only.
  const { EventStoreDbEventStore } = await import('#event-store/eventstoredb/eventstoredb-event-store');
  return readable(() => new EventStoreDbEventStore(eventStoreUrl));
}

/** Undefined where PostgreSQL is the bus. */
async function openKafka({ busUrl, busPartitions, ...settings }: Settings, log: Logger): Promise<Bus | undefined> {
  if (!busUrl) {
    const forKafka = (['kafkaUsername', 'kafkaPassword', 'kafkaCaFile'] as const).filter((name) => settings[name]);
    const unused = forKafka.map((name) => settingsSchema[name].variable);
    if (unused.length > 0) log.warn({ unused }, 'BUS_URL is not set, so PostgreSQL is the bus, and not Kafka');
    return undefined;
  }
  const { KafkaBus } = await import('#messaging/kafka/kafka-bus');
  const options = { partitions: busPartitions, onLog: (line: string) => log.warn({ kafka: line }, 'kafka') };
  return readable(() => new KafkaBus(busUrl, options));
}

/** An engine whose address can be read; one that cannot is for the user to mend. */
function readable<Engine>(open: () => Engine): Engine {
  try {
    return open();
  } catch (cause) {
    throw new SettingsError(`${(cause as Error).message}.`, { cause });
  }
}

/** An engine that answers and will not have us is for the user to mend. */
async function letIn(engine: Pick<Bus | EventStore, 'check'>): Promise<void> {
  try {
    await engine.check();
  } catch (error) {
    throw error instanceof BusRefusedError || error instanceof EventStoreRefusedError
      ? new SettingsError(`${error.message}.`, { cause: error })
      : error;
  }
}
