import type { PartHealth } from '#platform';
import type { LogFeed } from './projections/log-feed';
import type { ProjectionRunner } from './projections/projection-runner';

/** Not ok while a projection that this process leads cannot take an event; says which, where and why. `lag`: positions of the slowest. */
export function projectorHealth(runners: ReadonlyMap<string, ProjectionRunner>, feed: LogFeed): PartHealth {
  const led = [...runners].filter(([, { checkpoint }]) => checkpoint);
  const stopped = led.flatMap(([name, runner]) => (runner.stopped ? [{ projection: name, ...runner.stopped }] : []));
  const leads = Object.fromEntries(led.map(([name, { checkpoint }]) => [name, checkpoint!.position]));
  const lag = Math.max(0, ...Object.values(leads).map((position) => feed.head - position));
  const facts = { head: feed.head, lag, leads, stopped };
  if (stopped.length === 0) return { ok: true, ...facts };
  const [first] = stopped;
  return {
    ok: false,
    detail: `Projection ${first!.projection} stopped at position ${first!.position}: ${first!.reason}`,
    ...facts,
  };
}
