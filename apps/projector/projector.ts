import { hostname } from 'node:os';
import { Semaphore } from '#kernel';
import type { Published } from '#messaging';
import { isEngineOutage, sparingly, type Engines } from '#platform';
import { policiesProjection } from './policies/policies.projection';
import { rebuildable } from './projections/all-projections';
import { erasuresProjection } from './projections/erasures.projection';
import { Leadership } from './projections/leadership';
import { LogFeed } from './projections/log-feed';
import { outboxProjection } from './projections/outbox.projection';
import { Progress } from './projections/progress';
import type { Projection } from './projections/projection';
import { ProjectionRunner } from './projections/projection-runner';
import { projectorHealth } from './projector-health';
import { projectorMetrics } from './projector-metrics';
import { dropRetired, GRACE_MS } from './rebuild/rebuild';
import { TimerRunner } from './timers/timer-runner';

/** So many views write at once; the outbox and the policies never wait for them. */
const VIEWS_AT_ONCE = 3;
const SWEEP_MS = 60_000;

export type ProjectorEngines = Pick<
  Engines,
  'name' | 'db' | 'store' | 'commands' | 'clock' | 'log' | 'metrics' | 'health' | 'wake'
> & {
  readonly keys: Pick<Engines['keys'], 'destroyed'>;
  readonly outbox: { handOver(published: Published): void };
};

/** Follows the log: outbox, policies and timers, audit log and views, each led by one process. */
export class Projector {
  private readonly db: Engines['db'];
  private readonly onFault: (error: Error) => void;
  private readonly feed: LogFeed;
  private readonly progress: Progress;
  private readonly timers: TimerRunner;
  private readonly runners: ReadonlyMap<string, ProjectionRunner>;
  private readonly leadership: Leadership;
  private sweeping: NodeJS.Timeout | undefined;

  constructor(engines: ProjectorEngines, projections: readonly Projection[] = []) {
    const { db, store, commands, clock, log, wake, outbox } = engines;
    const metrics = projectorMetrics(engines.metrics);
    const onFault = (error: Error) => log.warn({ err: error.message }, 'projector: a passing fault');
    [this.db, this.onFault] = [db, onFault];
    this.feed = new LogFeed(store, (error) => {
      engines.health.fault('eventStore', error);
      onFault(error);
    });
    // Once in a while, however many they are.
    const held = sparingly((err) => log.warn({ err }, 'projector: timers wait for an engine'));
    this.progress = new Progress(db, (channel, payload) => wake.local(channel, payload), onFault);
    this.timers = new TimerRunner({
      db,
      commands,
      clock,
      onDone: metrics.timer,
      onFault: (error, timer) => {
        if (isEngineOutage(error)) held(() => error.message);
        else log.warn({ err: error.message, timer: timer?.key }, 'projector: a timer is tried again');
      },
    });
    const parts = {
      db,
      feed: this.feed,
      progress: this.progress,
      gate: new Semaphore(VIEWS_AT_ONCE),
      onFault,
      onBatch: metrics.batch,
      onStopped: (projection: string, stopped: object) => log.error({ projection, ...stopped }, 'projection stopped'),
    };
    const all = [
      outboxProjection((published) => outbox.handOver(published)),
      policiesProjection((due) => this.timers.wake(due)),
      erasuresProjection(engines.keys),
      ...rebuildable,
      ...projections,
    ];
    this.runners = new Map(all.map((projection) => [projection.name, new ProjectionRunner(projection, parts)]));
    this.leadership = new Leadership({
      db,
      projections: all,
      process: `${engines.name} ${process.pid} on ${hostname()}`,
      lead: (name, epoch, signal) => this.lead(name, epoch, signal),
      onFault,
    });
    metrics.watch(this.runners, this.feed);
    engines.health.part('projector', () => projectorHealth(this.runners, this.feed));
  }

  start(): void {
    this.leadership.start();
    this.sweeping = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  /** Finishes the batches in hand and gives the lead up, so that another process takes over at once. */
  async stop(): Promise<void> {
    clearInterval(this.sweeping);
    await this.leadership.stop();
    await this.feed.stop();
    await this.progress.stop();
  }

  /** Tables that no reader has any more go. */
  private sweep(): void {
    const { db, onFault } = this;
    const led = rebuildable.filter(({ name }) => this.leadership.led.includes(name));
    Promise.all(led.map((projection) => dropRetired(db, projection, GRACE_MS))).catch(onFault);
  }

  /** Timers are led together with the policies that set them. */
  private async lead(name: string, epoch: number, signal: AbortSignal): Promise<void> {
    const projection = this.runners.get(name)!.lead(epoch, signal);
    if (name !== 'policies') return projection;
    const ended = new AbortController();
    const timers = this.timers.run(AbortSignal.any([signal, ended.signal]));
    try {
      await projection;
    } finally {
      ended.abort();
      await timers;
    }
  }
}
