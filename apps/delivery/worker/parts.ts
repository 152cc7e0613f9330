import { Semaphore } from '#kernel';
import type { Engines } from '#platform';
import { createSender, type Sender } from '#webhook-sending';
import { Dispatcher } from '../dispatch/dispatcher';
import { Leases } from '../dispatch/leases';
import { Paces } from '../dispatch/paces';
import type { Task } from '../dispatch/task';
import { CatchUps } from '../endpoints/catch-ups';
import type { Endpoint } from '../endpoints/endpoint';
import { EndpointDirectory } from '../endpoints/endpoint-directory';
import { Facts } from '../facts/facts';
import { Failing } from '../facts/failing';
import { Intake } from '../intake/intake';
import { deliveryMetrics, type Metrics } from '../metrics';
import { OrderedLanes } from '../ordered/ordered-lanes';
import { alongside } from '../record/alongside';
import type { Outcome } from '../record/outcome';
import { Recorder } from '../record/recorder';
import { reopen } from '../record/reopen';
import { Jobs } from '../requests/jobs';
import { Retention } from '../retention/retention';
import { Retries } from '../retries/retries';
import { Presence } from './presence';
import { WAKE_CHANNEL } from './wake-channel';

/** What it stands on: the engines of its process. */
export type WorkerEngines = Pick<
  Engines,
  | 'name'
  | 'settings'
  | 'log'
  | 'clock'
  | 'db'
  | 'store'
  | 'commands'
  | 'secrets'
  | 'metrics'
  | 'health'
  | 'wake'
  | 'keys'
>;

/** The parts of one delivery worker. */
export interface Parts {
  readonly metrics: Metrics;
  readonly directory: EndpointDirectory;
  readonly sender: Sender;
  readonly recorder: Recorder;
  readonly dispatcher: Dispatcher;
  readonly paces: Paces;
  readonly leases: Leases;
  readonly retries: Retries;
  readonly presence: Presence;
  readonly intake: Intake;
  readonly catchUps: CatchUps;
  readonly facts: Facts;
  readonly failing: Failing;
  readonly jobs: Jobs;
  readonly orderedLanes: OrderedLanes;
  readonly retention: Retention;
  /** Who changes endpoints holds a database connection while it waits for their lock: one at a time. */
  readonly changeTurns: Semaphore;
}

/** What the parts tell the worker, which knows what follows for the others. */
export interface Whole {
  /** Nothing more may be sent for now. */
  readonly isHeld: () => boolean;
  readonly recorded: (counted: readonly Outcome[], others: readonly Outcome[]) => void;
  /** Facts for the log were written with the outcomes. */
  readonly hasFacts: () => void;
  readonly waits: (where: 'retry' | 'queue', endpoints: ReadonlySet<number>) => void;
  /** Rows of the endpoint were changed by hand. */
  readonly changedBehind: (endpoint: number, ordered: boolean) => void;
  readonly purge: (endpoint: Endpoint) => Promise<number>;
  readonly lost: () => void;
  readonly tookOver: (deliveries: number) => void;
  /** Deliveries in a lease of this worker of which it had not heard wait again. */
  readonly gaveBack: (deliveries: number) => void;
  readonly fault: (error: Error) => void;
}

/** Puts the parts of one worker together. They know each other through functions alone, called once all stand. */
export function partsOf(engines: WorkerEngines, whole: Whole): Parts {
  const changeTurns = new Semaphore(1);
  const { db, clock, store, secrets, settings, name } = engines;
  const decrypt = (box: string) => secrets.decrypt(box);
  const { fault: onFault, waits: waiting } = whole;
  const worker = () => presence.id;
  const dispatch = (tasks: readonly Task[]) => dispatcher.submit(tasks);
  const room = (endpoint: Endpoint) => dispatcher.room(endpoint);
  const hold = (held: string) => presence.hold(held);
  const letGo = (held: string) => presence.letGo(held);
  const metrics = deliveryMetrics(engines.metrics);
  const directory = new EndpointDirectory(db, decrypt, (row, error) =>
    engines.log.error({ endpoint: row.id, err: error.message }, 'an endpoint cannot be used'),
  );
  const sender = createSender({ sandbox: settings.mode === 'sandbox', nameServers: settings.webhookNameServers });
  const recorder = new Recorder({
    db,
    clock,
    metrics,
    worker,
    reopen: async (sql, outcomes) => {
      const present = await reopen(sql, outcomes, clock());
      // They would be given up once more by what is known here of their endpoint.
      if (present !== outcomes) directory.refresh().catch(onFault);
      return present;
    },
    alongside: async (sql, outcomes) => {
      if ((await alongside(sql, outcomes, (no) => directory.get(no), clock())) > 0) whole.hasFacts();
    },
    onRecorded: whole.recorded,
    onOver: (batches) => leases.over(batches),
    onFault,
  });
  const paces = new Paces({ db, onFault });
  const dispatcher = new Dispatcher({
    sender,
    metrics,
    endpoint: (no) => directory.get(no),
    record: (outcome) => recorder.add(outcome),
    keys: engines.keys,
    isHeld: whole.isHeld,
    askForTurns: (no, pace, onGiven) => paces.ask(no, pace, onGiven),
    onRoom: (no) => retries.room(no),
    onFault: (error, { row }) =>
      engines.log.error({ endpoint: row.id, err: error.message }, 'a delivery could not be signed'),
    concurrency: settings.deliveryConcurrency,
    retryScale: settings.retryScale,
  });
  const leases = new Leases({ db, clock, worker, onGivenBack: whole.gaveBack, onFault });
  const retries = new Retries({
    db,
    clock,
    metrics,
    leases,
    isSure: () => presence.isSure,
    endpoint: (no) => directory.get(no),
    room: (endpoint) => dispatcher.roomForBacklog(endpoint),
    dispatch,
    purge: whole.purge,
    refreshEndpoints: () => directory.refresh(),
    onFault,
  });
  const presence = new Presence({
    db,
    clock,
    name,
    onBeat: (version) => {
      dispatcher.resume();
      if (version !== undefined && version !== directory.version) directory.refresh().catch(onFault);
    },
    onLost: whole.lost,
    onTakenOver: whole.tookOver,
    onFault,
  });
  const intake = new Intake({
    db,
    clock,
    directory,
    metrics,
    leases,
    room,
    calm: () => dispatcher.calm(),
    inTurn: (work) => changeTurns.run(work),
    dispatch,
    waiting,
  });
  const catchUps = new CatchUps({
    db,
    store,
    directory,
    now: clock,
    leases,
    decrypt,
    room,
    onTaken: (deliveries) => metrics.taken.inc(deliveries),
    dispatch,
    waiting,
    hold,
    exclusively: (work) => changeTurns.run(work),
    letGo,
    onFault,
  });
  const facts = new Facts({ db, store, commands: engines.commands, clock, log: engines.log, onFault });
  const failing = new Failing({ db, clock, onFact: () => facts.wake(), onFault });
  const jobs = new Jobs({
    db,
    clock,
    hold,
    letGo,
    onReplayed: whole.changedBehind,
    onFault,
  });
  const orderedLanes = new OrderedLanes({
    db,
    clock,
    submit: (task) => dispatcher.submit([task]),
    isOrdered: (no) => directory.get(no)?.row.config.ordered ?? true,
    wantsLatestOnly: (no) => directory.get(no)?.row.config.latestOnly ?? false,
    hold,
    worker,
    isKnown: (no) => directory.get(no) !== undefined,
    refreshEndpoints: () => directory.refresh(),
    tellHolder: (no) => engines.wake.send(WAKE_CHANNEL, `queue:${no}`),
    onFault,
  });
  const retention = new Retention({
    db,
    log: engines.log,
    metrics,
    days: settings.retentionDays,
    hold,
    onFault,
  });
  return {
    metrics,
    directory,
    sender,
    recorder,
    dispatcher,
    paces,
    leases,
    retries,
    presence,
    intake,
    catchUps,
    facts,
    failing,
    jobs,
    orderedLanes,
    retention,
    changeTurns,
  };
}
