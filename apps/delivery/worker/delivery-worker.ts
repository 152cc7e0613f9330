import type { Engines } from '#platform';
import { fromBusMessage, TOPICS, type CoreMessage } from '#public-messages';
import { PoisonMessageError, type ReceivedMessage } from '#messaging';
import { createSender, type Sender } from '#webhook-sending';
import { Dispatcher } from '../dispatch/dispatcher';
import type { Task } from '../dispatch/task';
import { applyChange, purge } from '../endpoints/apply-change';
import { CatchUps } from '../endpoints/catch-ups';
import { ENDPOINT_CHANGED, endpointChange } from '../endpoints/endpoint-change';
import type { Endpoint } from '../endpoints/endpoint';
import { EndpointDirectory } from '../endpoints/endpoint-directory';
import { Facts } from '../facts/facts';
import { Failing } from '../facts/failing';
import { UnrenderableError } from '../intake/draft';
import { Intake } from '../intake/intake';
import { deliveryMetrics, type Metrics } from '../metrics';
import { OrderedLanes } from '../ordered/ordered-lanes';
import { alongside } from '../record/alongside';
import type { Outcome } from '../record/outcome';
import { Recorder } from '../record/recorder';
import { Jobs } from '../requests/jobs';
import { fulfil, REQUESTS } from '../requests/requests';
import { AHEAD_DAYS, ensureDays } from '../retention/partitions';
import { Retention } from '../retention/retention';
import { Retries } from '../retries/retries';
import { Presence } from './presence';
import { Turns } from './turns';

/** What it stands on: the engines of its process. */
export type WorkerEngines = Pick<
  Engines,
  'name' | 'settings' | 'log' | 'clock' | 'db' | 'store' | 'commands' | 'secrets' | 'metrics' | 'health' | 'wake'
>;

/** Webhooks come from every topic but the one that publishers take. */
export const WEBHOOK_TOPICS: readonly string[] = Object.values(TOPICS).filter((topic) => topic !== TOPICS.publishing);
export const WAKE_CHANNEL = 'delivery_wake';

/** In-flight exchanges get so long when the process is told to stop. */
const GRACE_MS = 10_000;

/** The delivery service as one object: intake, dispatch, record, retries, catch-up. Built without Nest, so tests can kill it. */
export class DeliveryWorker {
  readonly metrics: Metrics;
  readonly directory: EndpointDirectory;
  readonly presence: Presence;
  private readonly sender: Sender;
  private readonly dispatcher: Dispatcher;
  private readonly recorder: Recorder;
  private readonly retries: Retries;
  private readonly intake: Intake;
  private readonly catchUps: CatchUps;
  private readonly facts: Facts;
  private readonly failing: Failing;
  private readonly jobs: Jobs;
  private readonly orderedLanes: OrderedLanes;
  readonly retention: Retention;
  private readonly unlisten: (() => void)[] = [];
  /** Each holds a database connection while it waits for the endpoints' lock: few, so that whoever has the lock finds one too. */
  private readonly intakeTurns = new Turns(2);
  private readonly changeTurns = new Turns(1);
  private started: Promise<void> | undefined;
  private wasFull = false;
  private newFacts = false;
  private gone = false;

  constructor(private readonly engines: WorkerEngines) {
    const { db, clock, store, secrets, settings, name } = engines;
    const decrypt = (box: string) => secrets.decrypt(box);
    const onFault = (error: Error) => this.fault(error);
    const worker = () => this.presence.id;
    const dispatch = (tasks: readonly Task[]) => this.dispatcher.submit(tasks);
    const waiting = (where: 'retry' | 'queue', endpoints: ReadonlySet<number>) => this.waits(where, endpoints);
    this.metrics = deliveryMetrics(engines.metrics);
    this.directory = new EndpointDirectory(db, decrypt, (row, error) =>
      engines.log.error({ endpoint: row.id, err: error.message }, 'an endpoint cannot be used'),
    );
    this.sender = createSender({ sandbox: settings.mode === 'sandbox' });
    this.recorder = new Recorder({
      db,
      clock,
      metrics: this.metrics,
      worker,
      alongside: async (sql, outcomes) => {
        if ((await alongside(sql, outcomes, (no) => this.directory.get(no), clock())) > 0) this.newFacts = true;
      },
      onRecorded: (counted, others) => this.recorded(counted, others),
      onFault,
    });
    this.dispatcher = new Dispatcher({
      sender: this.sender,
      clock,
      metrics: this.metrics,
      endpoint: (no) => this.directory.get(no),
      record: (outcome) => this.recorder.add(outcome),
      recorderIsFull: () => (this.wasFull = this.recorder.full) || !this.presence.isSure,
      onRoom: (no) => this.retries.room(no),
      onFault: (error, { row }) =>
        engines.log.error({ endpoint: row.id, err: error.message }, 'a delivery could not be signed'),
      concurrency: settings.deliveryConcurrency,
      retryScale: settings.retryScale,
    });
    const room = (endpoint: Parameters<Dispatcher['room']>[0]) => this.dispatcher.room(endpoint);
    this.retries = new Retries({
      db,
      clock,
      metrics: this.metrics,
      worker,
      isSure: () => this.presence.isSure,
      endpoint: (no) => this.directory.get(no),
      room,
      dispatch,
      purge: (endpoint) => this.purge(endpoint),
      refreshEndpoints: () => this.directory.refresh(),
      onFault,
    });
    this.presence = new Presence({
      db,
      clock,
      name,
      onBeat: () => this.dispatcher.resume(),
      onLost: () => this.lost(),
      onTakenOver: (deliveries) => this.tookOver(deliveries),
      onFault,
    });
    this.intake = new Intake({
      db,
      clock,
      directory: this.directory,
      metrics: this.metrics,
      worker,
      room,
      calm: () => this.dispatcher.calm(),
      dispatch,
      waiting,
    });
    this.catchUps = new CatchUps({
      db,
      store,
      directory: this.directory,
      now: clock,
      worker,
      decrypt,
      room,
      onTaken: (deliveries) => this.metrics.taken.inc(deliveries),
      dispatch,
      waiting,
      hold: (held) => this.presence.hold(held),
      exclusively: (work) => this.changeTurns.take(work),
      letGo: (held) => this.presence.letGo(held),
      onFault,
    });
    const hold = (held: string) => this.presence.hold(held);
    const letGo = (held: string) => this.presence.letGo(held);
    this.facts = new Facts({ db, store, commands: engines.commands, clock, log: engines.log, onFault });
    this.failing = new Failing({ db, clock, onFact: () => this.facts.wake(), onFault });
    this.jobs = new Jobs({
      db,
      clock,
      hold,
      letGo,
      onReplayed: (no, ordered) => this.changedBehind(no, ordered),
      onFault,
    });
    this.orderedLanes = new OrderedLanes({
      db,
      clock,
      submit: (task) => this.dispatcher.submit([task]),
      hold,
      isKnown: (no) => this.directory.get(no) !== undefined,
      refreshEndpoints: () => this.directory.refresh(),
      tellHolder: (no) => engines.wake.send(WAKE_CHANNEL, `queue:${no}`),
      onFault,
    });
    this.retention = new Retention({
      db,
      clock,
      log: engines.log,
      metrics: this.metrics,
      days: settings.retentionDays,
      hold,
      onFault,
    });
  }

  /** Idempotent: whoever needs it first starts it. */
  start(): Promise<void> {
    return (this.started ??= this.begin());
  }

  /** One batch of the bus: resolves when it is durable. */
  async handle(messages: readonly ReceivedMessage[]): Promise<void> {
    await this.start();
    const webhooks: CoreMessage[] = [];
    const internal: CoreMessage[] = [];
    for (const received of messages) {
      const message = understood(received);
      (message.isWebhook ? webhooks : internal).push(message);
    }
    for (const message of internal) await this.obey(message);
    if (webhooks.length === 0) return;
    try {
      await this.intakeTurns.take(() => this.intake.take(webhooks));
    } catch (error) {
      if (!(error instanceof UnrenderableError)) throw error;
      throw new PoisonMessageError(
        messages.find(({ id }) => id === error.messageId)!,
        error.message,
        { cause: error },
      );
    }
  }

  /** Finishes what is in flight, writes it down, gives the rest back. */
  async stop(): Promise<void> {
    if (!this.started || this.gone) return;
    await this.started;
    this.gone = true;
    this.unlisten.forEach((stop) => stop());
    this.retries.stop();
    this.retention.stop();
    this.orderedLanes.stop();
    await Promise.all([this.catchUps.stop(), this.jobs.stop()]);
    await this.dispatcher.stop(GRACE_MS);
    await this.recorder.flush();
    this.failing.stop();
    await this.facts.stop();
    await this.presence.leave();
    await this.sender.close();
  }

  /** Ends as a killed process does: nothing is finished, recorded or given back. */
  kill(): void {
    this.gone = true;
    this.unlisten.forEach((stop) => stop());
    this.presence.kill();
    this.retries.stop();
    this.catchUps.kill();
    this.jobs.kill();
    this.facts.kill();
    this.failing.stop();
    this.retention.stop();
    this.orderedLanes.stop();
    this.recorder.kill();
    this.dispatcher.kill();
  }

  private async begin(): Promise<void> {
    const { db, clock, wake, health } = this.engines;
    await ensureDays(db, clock(), AHEAD_DAYS);
    await this.directory.refresh();
    this.directory.onChange((endpoint) => this.dispatcher.changed(endpoint));
    await this.presence.start();
    this.retries.start();
    this.catchUps.start();
    this.facts.start();
    this.failing.start();
    this.jobs.start();
    this.orderedLanes.start();
    this.retention.start();
    this.unlisten.push(wake.on(WAKE_CHANNEL, (payload) => void this.woken(payload)));
    this.metrics.watch(() => this.dispatcher.load);
    health.part('delivery', () => ({
      ok: this.presence.isSure,
      ...this.dispatcher.load,
      endpointsVersion: this.directory.version,
    }));
  }

  private async obey(message: CoreMessage): Promise<void> {
    const { db, store, clock, wake } = this.engines;
    if (message.type === ENDPOINT_CHANGED) {
      const needs = { db, store, directory: this.directory, now: clock };
      const no = await this.changeTurns.take(() => applyChange(needs, endpointChange(message)));
      if (no === undefined) return;
      if (this.directory.get(no)?.row.phase === 'catching_up') this.catchUps.want(no);
      this.retries.wake();
      await this.orderedLanes.changed(no);
      wake.send(WAKE_CHANNEL, `endpoint:${no}`);
    } else if (REQUESTS.has(message.type)) {
      const effect = await fulfil({ db, clock }, message);
      if (effect?.wake === 'job') this.jobs.wake();
      else if (effect) this.changedBehind(effect.endpoint, effect.wake === 'requeue');
    }
  }

  /** Rows of the endpoint were changed by hand: here and in every other process what is in memory of them is old. */
  private changedBehind(endpoint: number, ordered: boolean): void {
    this.engines.wake.send(WAKE_CHANNEL, ordered ? `requeue:${endpoint}` : 'retry');
    if (ordered) void this.orderedLanes.queued(endpoint, true);
  }

  /** `endpoint:<no>`, `queue:<no>`, `requeue:<no>`, `retry`; empty after a reconnect, when any of them may have been missed. */
  private async woken(payload: string): Promise<void> {
    if (this.gone) return;
    try {
      const [what, no] = payload.split(':');
      if (what === 'queue') await this.orderedLanes.queued(Number(no), false);
      else if (what === 'requeue') await this.orderedLanes.changed(Number(no));
      else {
        if (what !== 'retry') await this.directory.refresh();
        if (what === 'endpoint') await this.orderedLanes.changed(Number(no));
        this.retries.wake();
      }
    } catch (error) {
      this.fault(error as Error);
    }
  }

  private waits(where: 'retry' | 'queue', endpoints: ReadonlySet<number>): void {
    for (const no of endpoints) {
      if (where === 'retry') this.retries.note(no, Date.parse(this.engines.clock()));
      else void this.orderedLanes.queued(no, true);
    }
  }

  private recorded(counted: readonly Outcome[], others: readonly Outcome[]): void {
    // Discarded by hand while it was under way: the next of its entity may go.
    for (const { task, exchange } of others)
      if (task.lane !== null) this.orderedLanes.recorded({ task, exchange, decision: { state: 'delivered' } });
    for (const outcome of counted) {
      const { task, decision } = outcome;
      this.metrics.settled.inc({ status: decision.state });
      this.failing.note(outcome);
      if (task.lane !== null) this.orderedLanes.recorded(outcome);
      else if (decision.state === 'retrying') this.retries.note(task.endpoint, decision.dueMs);
    }
    if (this.newFacts) {
      this.newFacts = false;
      this.facts.wake();
    }
    if (this.wasFull && !this.recorder.full) this.dispatcher.resume();
  }

  /** What a closing left of a long backlog. */
  private async purge({ row }: Endpoint): Promise<void> {
    while (!this.gone && (await purge(this.engines.db, row, this.engines.clock())) > 0);
  }

  private lost(): void {
    this.engines.log.warn('this worker was given up by the others; it begins anew');
    this.orderedLanes.lost();
    this.dispatcher.forget();
  }

  private tookOver(deliveries: number): void {
    this.engines.log.warn({ deliveries }, 'took over from a dead worker');
    this.metrics.takenOver.inc(deliveries);
    this.retries.wake();
  }

  private fault(error: Error): void {
    if (!this.gone) this.engines.log.warn({ err: error.message }, 'delivery met a fault and tries again');
  }
}

/** A message that is not ours, or of a form this build does not know, is parked by the bus instead of holding up the rest. */
function understood(received: ReceivedMessage): CoreMessage {
  try {
    return fromBusMessage(received);
  } catch (error) {
    throw new PoisonMessageError(received, (error as Error).message, { cause: error });
  }
}
