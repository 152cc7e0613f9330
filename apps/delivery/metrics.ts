import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30];
const SIZES = [1, 5, 20, 50, 100, 200, 500, 1000, 2000];

export interface Load {
  readonly inFlight: number;
  readonly buffered: number;
  readonly lanes: number;
  readonly circuitsOpen: number;
}

/** What the delivery service tells Prometheus. */
export type Metrics = ReturnType<typeof deliveryMetrics>;

/** The counters and gauges of one delivery worker, in a registry. Times are in seconds. */
export function deliveryMetrics(registry: Registry) {
  const registers = [registry];
  const gauges = loadGauges(registry);
  return {
    /** Reads the gauges of the present load when somebody asks. */
    watch: (load: () => Load): void => void (gauges.load = load),
    taken: new Counter({
      name: 'postledger_deliveries_taken_total',
      help: 'Deliveries written by intake and catch-up',
      registers,
    }),
    intakeBatch: new Histogram({
      name: 'postledger_delivery_intake_batch',
      help: 'Deliveries in one intake statement',
      buckets: SIZES,
      registers,
    }),
    intakeLag: new Histogram({
      name: 'postledger_delivery_intake_lag_seconds',
      help: 'From the event to its deliveries written',
      buckets: SECONDS,
      registers,
    }),
    attempts: new Counter({
      name: 'postledger_delivery_attempts_total',
      help: 'Attempts by outcome: delivered, or the stage (or status class) they failed at',
      labelNames: ['outcome'],
      registers,
    }),
    attemptSeconds: new Histogram({
      name: 'postledger_delivery_attempt_seconds',
      help: 'Duration of one whole exchange',
      buckets: SECONDS,
      registers,
    }),
    settled: new Counter({
      name: 'postledger_deliveries_total',
      help: 'Decisions: delivered, retrying, parked, discarded',
      labelNames: ['status'],
      registers,
    }),
    recordBatch: new Histogram({
      name: 'postledger_delivery_record_batch',
      help: 'Outcomes written at once',
      buckets: SIZES,
      registers,
    }),
    retriesClaimed: new Counter({
      name: 'postledger_delivery_retries_claimed_total',
      help: 'Waiting deliveries whose time had come',
      registers,
    }),
    waiting: new Gauge({
      name: 'postledger_delivery_waiting',
      help: 'Rows that wait for their time, as PostgreSQL estimates them',
      labelNames: ['where'],
      registers,
    }),
    takenOver: new Counter({
      name: 'postledger_delivery_taken_over_total',
      help: 'Deliveries taken over from a dead worker',
      registers,
    }),
    partitionsDropped: new Counter({
      name: 'postledger_delivery_partitions_dropped_total',
      help: 'Day partitions dropped by retention',
      registers,
    }),
  };
}

const LOAD: Readonly<Record<keyof Load, readonly [name: string, help: string]>> = {
  inFlight: ['in_flight', 'Exchanges under way'],
  buffered: ['buffered', 'Deliveries in memory that wait for their turn'],
  lanes: ['lanes', 'Endpoints this process has sent to'],
  circuitsOpen: ['circuits_open', 'Endpoints that are only probed'],
};

/** Gauges that look when they are asked. */
function loadGauges(registry: Registry): { load: () => Load } {
  const watched = { load: (): Load => ({ inFlight: 0, buffered: 0, lanes: 0, circuitsOpen: 0 }) };
  for (const key of Object.keys(LOAD) as (keyof Load)[]) {
    const [name, help] = LOAD[key];
    const gauge = new Gauge({
      name: `postledger_delivery_${name}`,
      help,
      registers: [],
      collect() {
        this.set(watched.load()[key]);
      },
    });
    registry.registerMetric(gauge);
  }
  return watched;
}
