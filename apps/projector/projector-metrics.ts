import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { LogFeed } from './projections/log-feed';
import type { ProjectionRunner } from './projections/projection-runner';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** The projector's counters; lag counts positions between a projection and the newest that the log was read to. */
export function projectorMetrics(registry: Registry) {
  const registers = [registry];
  const events = new Counter({
    name: 'postledger_projection_events_total',
    help: 'Events taken, by projection',
    labelNames: ['projection'],
    registers,
  });
  const batches = new Histogram({
    name: 'postledger_projection_batch_seconds',
    help: 'Time of a batch, with its commit',
    labelNames: ['projection'],
    buckets: SECONDS,
    registers,
  });
  const timers = new Counter({
    name: 'postledger_timers_total',
    help: 'Timers ended or failed',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const late = new Histogram({
    name: 'postledger_timer_late_seconds',
    help: 'From due to done',
    buckets: [...SECONDS, 30],
    registers,
  });
  return {
    batch(projection: string, count: number, ms: number): void {
      events.inc({ projection }, count);
      batches.observe({ projection }, ms / 1_000);
    },
    timer(kind: string, outcome: string, lateMs: number): void {
      timers.inc({ kind, outcome });
      late.observe(Math.max(0, lateMs) / 1_000);
    },
    watch(runners: ReadonlyMap<string, ProjectionRunner>, feed: LogFeed): void {
      const gauge = (name: string, help: string, of: (runner: ProjectionRunner) => number) =>
        new Gauge({
          name,
          help,
          labelNames: ['projection'],
          registers,
          collect() {
            this.reset();
            for (const [projection, runner] of runners) if (runner.checkpoint) this.set({ projection }, of(runner));
          },
        });
      gauge(
        'postledger_projection_position',
        'Position in the log, by projection led here',
        ({ checkpoint }) => checkpoint!.position,
      );
      gauge('postledger_projection_lag', 'Positions behind the log', ({ checkpoint }) =>
        Math.max(0, feed.head - checkpoint!.position),
      );
      gauge('postledger_projection_stopped', '1 while an event cannot be taken', ({ stopped }) =>
        Number(stopped !== undefined),
      );
    },
  };
}
