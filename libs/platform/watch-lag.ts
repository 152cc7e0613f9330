import { Gauge, type Registry } from 'prom-client';

/** A gauge of the messages that somebody has yet to take, asked for when it is read: NaN while nobody knows, as when the engine is away. */
export function watchLag(metrics: Registry, name: string, help: string, lag: () => Promise<number>): void {
  const gauge = new Gauge({
    name,
    help,
    registers: [],
    async collect() {
      this.set(await lag().catch(() => Number.NaN));
    },
  });
  metrics.registerMetric(gauge);
}
