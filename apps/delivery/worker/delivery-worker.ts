import { Semaphore } from '#kernel';
import { PoisonMessageError, type ReceivedMessage } from '#messaging';
import { fromBusMessage, messageType, TOPICS, type CoreMessage } from '#public-messages';
import { isHeldBy } from '../dispatch/task';
import { applyChange, purgeClosed, registerTogether } from '../endpoints/apply-change';
import { changesBefore } from '../endpoints/own-changes';
import type { Endpoint } from '../endpoints/endpoint';
import { ENDPOINT_CHANGED, endpointChange, type EndpointChange } from '../endpoints/endpoint-change';
import { UnrenderableError } from '../intake/draft';
import { isFarewell, type Outcome } from '../record/outcome';
import { fulfil, REQUESTS } from '../requests/requests';
import { ensureDaysAtStart } from '../retention/partitions';
import { partsOf, type Parts, type WorkerEngines } from './parts';
import { WAKE_CHANNEL } from './wake-channel';

/** Webhooks come from every topic but the one that publishers take. */
export const WEBHOOK_TOPICS: readonly string[] = Object.values(TOPICS).filter((topic) => topic !== TOPICS.publishing);

/** Endpoints that are taken in at once: the intakes wait meanwhile. */
const REGISTERED_TOGETHER = 50;

/** In-flight exchanges get so long when the process is told to stop. */
const GRACE_MS = 10_000;

/** The delivery service as one object: intake, dispatch, record, retries, catch-up. Built without Nest, so tests can kill it. */
export class DeliveryWorker {
  readonly parts: Parts;
  private readonly unlisten: (() => void)[] = [];
  /** Each holds a database connection while it waits for the endpoints' lock: few, so that whoever has the lock finds one too. */
  private readonly intakeTurns = new Semaphore(2);
  private started: Promise<void> | undefined;
  private wasFull = false;
  private newFacts = false;
  private gone = false;

  constructor(private readonly engines: WorkerEngines) {
    this.parts = partsOf(engines, {
      isHeld: () => this.isHeld(),
      recorded: (counted, others) => this.recorded(counted, others),
      hasFacts: () => (this.newFacts = true),
      waits: (where, endpoints) => this.waits(where, endpoints),
      changedBehind: (endpoint, ordered) => this.changedBehind(endpoint, ordered),
      purge: (endpoint) => this.purge(endpoint),
      lost: () => this.lost(),
      tookOver: (deliveries) => this.tookOver(deliveries),
      gaveBack: (deliveries) => this.gaveBack(deliveries),
      fault: (error) => this.fault(error),
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
    // Only what is of the same workspaces waits for what is asked of delivery itself.
    const asking = new Set(internal.map(({ workspace }) => workspace));
    const [others, own] = [
      webhooks.filter(({ workspace }) => !asking.has(workspace)),
      webhooks.filter(({ workspace }) => asking.has(workspace)),
    ];
    const done = await Promise.allSettled([
      this.takeIn(others, messages),
      this.obeyAll(internal).then(() => this.takeIn(own, messages)),
    ]);
    for (const one of done) if (one.status === 'rejected') throw one.reason;
  }

  private async obeyAll(internal: readonly CoreMessage[]): Promise<void> {
    for (const message of await this.registered(internal)) await this.obey(message);
  }

  private async takeIn(webhooks: readonly CoreMessage[], messages: readonly ReceivedMessage[]): Promise<void> {
    if (webhooks.length === 0) return;
    try {
      await this.intakeTurns.run(() => this.parts.intake.take(webhooks));
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
    // One that could not begin is stopped as far as it came.
    await this.started.catch(() => undefined);
    this.gone = true;
    this.unlisten.forEach((stop) => stop());
    this.parts.retries.stop();
    this.parts.leases.stop();
    this.parts.retention.stop();
    this.parts.orderedLanes.stop();
    this.parts.paces.stop();
    await Promise.all([this.parts.catchUps.stop(), this.parts.jobs.stop()]);
    await this.parts.dispatcher.stop(GRACE_MS);
    await this.parts.recorder.flush();
    await this.parts.failing.stop();
    await this.parts.facts.stop();
    await this.parts.presence.leave();
    await this.parts.sender.close();
  }

  /** Ends as a killed process does: nothing is finished, recorded or given back. */
  kill(): void {
    this.gone = true;
    this.unlisten.forEach((stop) => stop());
    this.parts.presence.kill();
    this.parts.retries.stop();
    this.parts.leases.stop();
    this.parts.catchUps.kill();
    this.parts.jobs.kill();
    this.parts.facts.kill();
    this.parts.failing.kill();
    this.parts.retention.stop();
    this.parts.orderedLanes.stop();
    this.parts.paces.stop();
    this.parts.recorder.kill();
    this.parts.dispatcher.kill();
  }

  private async begin(): Promise<void> {
    const { db, clock, wake, health, log } = this.engines;
    if (!(await ensureDaysAtStart(db, clock())))
      log.warn('partitions of coming days wait: their tables are in use, as by a backup');
    await this.parts.directory.refresh();
    this.parts.directory.onChange((endpoint) => this.parts.dispatcher.changed(endpoint));
    await this.parts.presence.start();
    await this.parts.failing.start();
    this.parts.retries.start();
    this.parts.leases.start();
    this.parts.catchUps.start();
    this.parts.facts.start();
    this.parts.jobs.start();
    this.parts.orderedLanes.start();
    this.parts.retention.start();
    this.unlisten.push(wake.on(WAKE_CHANNEL, (payload) => void this.woken(payload)));
    this.parts.metrics.watch(() => this.parts.dispatcher.load);
    health.part('delivery', () => ({
      ...(this.parts.presence.isSure
        ? { ok: true as const }
        : { ok: false as const, detail: 'Nothing is sent while the database does not answer' }),
      ...this.parts.dispatcher.load,
      endpointsVersion: this.parts.directory.version,
    }));
  }

  /** Takes in the endpoints that were registered; returns the other messages. */
  private async registered(internal: readonly CoreMessage[]): Promise<readonly CoreMessage[]> {
    const { db, store, clock, wake } = this.engines;
    const { directory, catchUps, changeTurns } = this.parts;
    const changes: EndpointChange[] = [];
    const others: CoreMessage[] = [];
    for (const message of internal) {
      const change = message.type === ENDPOINT_CHANGED ? endpointChange(message) : undefined;
      if (change?.kind === 'registered') changes.push(change);
      else others.push(message);
    }
    for (let at = 0; at < changes.length; at += REGISTERED_TOGETHER) {
      const some = changes.slice(at, at + REGISTERED_TOGETHER);
      const nos = await changeTurns.run(() => registerTogether({ db, store, directory, now: clock }, some));
      for (const no of nos) catchUps.want(no);
      // Whoever hears of one looks for all that are new.
      if (nos.length > 0) wake.send(WAKE_CHANNEL, `endpoint:${nos.at(-1)}`);
    }
    return others;
  }

  private async obey(message: CoreMessage): Promise<void> {
    const { db, clock, wake } = this.engines;
    if (message.type === ENDPOINT_CHANGED) await this.change(endpointChange(message));
    else if (REQUESTS.has(message.type)) {
      for (const change of await changesBefore(this.engines, message)) await this.change(change);
      const effect = await fulfil({ db, clock }, message);
      if (effect?.wake === 'job') this.parts.jobs.wake();
      else if (effect?.wake === 'discard') wake.local(WAKE_CHANNEL, effect.payload);
      else if (effect) this.changedBehind(effect.endpoint, effect.wake === 'requeue');
    }
  }

  private async change(change: EndpointChange): Promise<void> {
    const { db, store, clock, wake } = this.engines;
    const { directory, catchUps, retries, orderedLanes, changeTurns } = this.parts;
    const no = await changeTurns.run(() => applyChange({ db, store, directory, now: clock }, change));
    if (no === undefined) return;
    if (directory.get(no)?.row.phase === 'catching_up') catchUps.want(no);
    retries.wake();
    await orderedLanes.changed(no);
    wake.send(WAKE_CHANNEL, `endpoint:${no}`);
  }

  /** Rows of the endpoint were changed by hand: here and in every other process what is in memory of them is old. */
  private changedBehind(endpoint: number, ordered: boolean): void {
    this.engines.wake.send(WAKE_CHANNEL, ordered ? `requeue:${endpoint}` : 'retry');
    if (ordered) void this.parts.orderedLanes.queued(endpoint, true);
  }

  /** `endpoint:<no>`, `queue:<no>`, `requeue:<no>`, `discard:<no>:<id>`, `retry`; empty after a reconnect, when any of them may have been missed. */
  private async woken(payload: string): Promise<void> {
    if (this.gone) return;
    try {
      const [what, no, id] = payload.split(':');
      if (what === 'discard') this.parts.dispatcher.discard(Number(no), id!);
      if (what === 'queue') await this.parts.orderedLanes.queued(Number(no), false);
      else if (what === 'requeue' || what === 'discard') await this.parts.orderedLanes.changed(Number(no));
      else {
        if (what === '') await this.leaveOutDiscarded();
        if (what !== 'retry') await this.parts.directory.refresh();
        if (what === 'endpoint') await this.parts.orderedLanes.changed(Number(no));
        this.parts.retries.wake();
      }
    } catch (error) {
      this.fault(error as Error);
    }
  }

  /** What was discarded by hand while nothing was heard. */
  private async leaveOutDiscarded(): Promise<void> {
    const { dispatcher, orderedLanes } = this.parts;
    const rows = await this.engines.db.query<{ id: string; endpoint: number }>(
      "select id, endpoint from delivery.delivery where id = any($1) and state = 'discarded'",
      [dispatcher.waiting],
    );
    for (const { id, endpoint } of rows) dispatcher.discard(endpoint, id);
    await orderedLanes.allChanged();
  }

  private waits(where: 'retry' | 'queue', endpoints: ReadonlySet<number>): void {
    for (const no of endpoints) {
      if (where === 'retry') this.parts.retries.note(no, Date.parse(this.engines.clock()));
      else void this.parts.orderedLanes.queued(no, true);
    }
  }

  private isHeld(): boolean {
    this.wasFull = this.parts.recorder.full;
    return this.wasFull || !this.parts.presence.isSure;
  }

  private recorded(counted: readonly Outcome[], others: readonly Outcome[]): void {
    for (const outcome of counted) if (isFarewell(outcome)) this.parts.dispatcher.saidGone(outcome.task, true);
    for (const outcome of others) if (isFarewell(outcome)) this.parts.dispatcher.saidGone(outcome.task, false);
    // What was under way when this worker was given up is in the line once more.
    for (const { task } of others)
      if (task.lane !== null && isHeldBy(this.parts.presence.id, task)) void this.parts.orderedLanes.undecided(task);
    for (const outcome of counted) {
      const { task, decision } = outcome;
      if (decision.state === 'waiting') {
        if (task.lane !== null) this.parts.orderedLanes.recorded(outcome);
        else this.parts.retries.note(task.endpoint, Date.parse(this.engines.clock()) + decision.ms);
        continue;
      }
      this.parts.metrics.settled.inc({ status: decision.state });
      this.parts.failing.note(outcome);
      if (task.lane !== null) this.parts.orderedLanes.recorded(outcome);
      else if (decision.state === 'retrying') this.parts.retries.note(task.endpoint, decision.dueMs);
    }
    if (this.newFacts) {
      this.newFacts = false;
      this.parts.facts.wake();
    }
    if (this.wasFull && !this.parts.recorder.full) this.parts.dispatcher.resume();
  }

  /** Some of what a closing left of a long backlog. */
  private purge({ no }: Endpoint): Promise<number> {
    return purgeClosed(this.engines.db, no, this.engines.clock());
  }

  private lost(): void {
    this.engines.log.warn('this worker was given up by the others; it begins anew');
    this.parts.orderedLanes.lost();
    this.parts.leases.lost();
    this.parts.dispatcher.forget();
  }

  private tookOver(deliveries: number): void {
    this.engines.log.warn({ deliveries }, 'took over from a dead worker');
    this.parts.metrics.takenOver.inc(deliveries);
    this.parts.retries.wake();
  }

  private gaveBack(deliveries: number): void {
    this.engines.log.warn({ deliveries }, 'gave back what it had leased without hearing of it');
    this.parts.retries.wake();
  }

  private fault(error: Error): void {
    if (!this.gone) this.engines.log.warn({ err: error.message }, 'delivery met a fault and tries again');
  }
}

/**
 * A message that is not ours is parked by the bus instead of holding up the rest. One of a type that only a newer build knows is held up
 * with all behind it: somebody may want it, and a process of that build takes it when this one is gone.
 */
function understood(received: ReceivedMessage): CoreMessage {
  const message = parsed(received);
  if (!messageType(message.type))
    throw new Error(
      `Message ${message.id} is a ${message.type}, which this build does not know: it waits for one that does`,
    );
  return message;
}

function parsed(received: ReceivedMessage): CoreMessage {
  try {
    return fromBusMessage(received);
  } catch (error) {
    throw new PoisonMessageError(received, (error as Error).message, { cause: error });
  }
}
