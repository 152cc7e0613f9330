import { randomBytes, randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { CommandHandler, NO_STREAM, streamName, type EventStore } from '#event-store';
import { PostgresEventStore } from '#event-store/postgres/postgres-event-store';
import { instant, systemClock, uuidv7, type Clock, type Instant } from '#kernel';
import { PostgresKeyTable, SubjectKeys } from '#personal-data';
import type { BusMessage, ReceivedMessage } from '#messaging';
import { partitionOf } from '#messaging/outbox/outbox';
import { createLogger, Health, loadSettings, SecretBox, Wake } from '#platform';
import { messagesOf, toBusMessage } from '#public-messages';
import { generateSecret } from '#webhook-signing';
import { endpointAggregate, type EndpointCommand, type EndpointSettings } from '#webhooks';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { DeliveryWorker } from '../worker/delivery-worker';
import type { WorkerEngines } from '../worker/parts';

type Wanted = Partial<EndpointSettings> & { contract?: string; startFrom?: string | null };

/** A log, a database and any number of delivery workers; the test decides which messages reach which worker, and when. */
export class World {
  readonly workers: DeliveryWorker[] = [];
  readonly secret = generateSecret('whsec');
  readonly secretKey = randomBytes(32).toString('base64');
  readonly secrets = new SecretBox(this.secretKey);
  readonly store: EventStore;
  readonly commands: CommandHandler;
  /** Everything of the log that has been read from it as bus messages. */
  private read = 0;

  private constructor(
    readonly test: TestDatabase,
    private readonly options: { retryScale: number; clock: Clock; as: (store: EventStore) => EventStore },
  ) {
    this.store = options.as(new PostgresEventStore(test.db));
    this.commands = new CommandHandler(this.store);
  }

  static async open({
    retryScale = 0.002,
    clock = systemClock,
    max = 20,
    database,
    as = (store) => store,
  }: {
    retryScale?: number;
    clock?: Clock;
    max?: number;
    database?: TestDatabase;
    as?: (store: EventStore) => EventStore;
  } = {}): Promise<World> {
    return new World(database ?? (await testDatabase({ max })), { retryScale, clock, as });
  }

  /** A delivery worker as one process would have it. */
  async worker(): Promise<DeliveryWorker> {
    const { db } = this.test;
    const engines: WorkerEngines = {
      name: 'delivery',
      settings: { ...loadSettings({ POSTLEDGER_MODE: 'sandbox' }), retryScale: this.options.retryScale },
      log: createLogger('delivery', process.env['DELIVERY_LOG'] ?? 'silent'),
      clock: this.options.clock,
      db,
      store: this.store,
      commands: this.commands,
      secrets: this.secrets,
      metrics: new Registry(),
      health: new Health(),
      wake: new Wake(db, () => undefined),
      keys: new SubjectKeys({ table: new PostgresKeyTable(db), wrapping: this.secrets }),
    };
    const worker = new DeliveryWorker(engines);
    this.workers.push(worker);
    await worker.start();
    return worker;
  }

  /** Endpoints whose events the intake takes in. */
  liveEndpoints(): Promise<object[]> {
    return this.test.db.query("select 1 from delivery.endpoint where phase = 'live'");
  }

  /** Waits until so many endpoints have caught up with the log. */
  async live(count: number): Promise<void> {
    await eventually(async () => expect(await this.liveEndpoints()).toHaveLength(count));
  }

  async register(id: string, targetUrl: string, wanted: Wanted = {}, workspace = 'ws_1'): Promise<number> {
    const { contract = 'core', startFrom = null, ...settings } = wanted;
    const secret = {
      id: 'sec_1',
      box: this.secrets.encrypt(contract === 'post-ez' ? generateSecret('pez') : this.secret),
    };
    const defaults = {
      eventTypes: ['*'],
      description: null,
      ordered: false,
      rateLimitPerSecond: null,
      latestOnly: false,
    };
    return this.endpointCommand(
      id,
      {
        type: 'RegisterEndpoint',
        endpointId: id,
        targetUrl,
        contract,
        startFrom,
        secret,
        ...defaults,
        ...settings,
        ...this.by(),
      },
      workspace,
    );
  }

  async endpointCommand(id: string, command: EndpointCommand, workspace = 'ws_1'): Promise<number> {
    const context = {
      workspace,
      actor: 'usr_1',
      correlationId: 'cor_1',
      causationId: null,
      commandId: randomUUID(),
      at: command.at,
    };
    return (await this.commands.handle(endpointAggregate, id, command, context)).position;
  }

  /** When and who, for a command. */
  by(): { at: Instant; actor: string } {
    return { at: this.options.clock(), actor: 'usr_1' };
  }

  /** Appends `count` events of one entity (`region.performance_updated`); `period` numbers them. Returns their public ids. */
  async happen(entity: string, count = 1, workspace = 'ws_1'): Promise<string[]> {
    const stream = streamName('region', workspace, entity);
    const before = await this.store.read(stream);
    const from = before.length;
    const events = Array.from({ length: count }, (_, n) => ({
      id: uuidv7(),
      type: 'RegionPerformanceUpdated',
      data: { region: entity, period: String(from + n + 1), impressions: 1, engagements: 2, contentCount: 3 },
      metadata: {
        workspace,
        actor: 'usr_1',
        correlationId: 'cor_1',
        causationId: null,
        commandId: randomUUID(),
        schemaVersion: 1,
        occurredAt: instant(this.options.clock()),
      },
    }));
    await this.store.append(stream, events, from === 0 ? NO_STREAM : from - 1);
    return events.map(({ id }) => `evt_${id}`);
  }

  /** The bus messages of what the log has gained since the last call. */
  async fresh(): Promise<ReceivedMessage[]> {
    const messages: ReceivedMessage[] = [];
    for (;;) {
      const { events, position } = await this.store.readAll({ after: this.read, limit: 1_000 });
      this.read = Math.max(this.read, position);
      for (const event of events)
        for (const message of messagesOf(event))
          messages.push(received(toBusMessage(message), message.position * 10 + message.index));
      if (events.length === 0) return messages;
    }
  }

  /** Hands all that is new to one worker. */
  async pass(worker: DeliveryWorker): Promise<void> {
    await worker.handle(await this.fresh());
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await this.store.close();
    await this.test.drop();
  }
}

const received = (message: BusMessage, offset: number): ReceivedMessage => ({
  ...message,
  partition: partitionOf(message),
  offset,
});
