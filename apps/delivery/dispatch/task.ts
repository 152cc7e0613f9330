/** Deliveries that one worker holds by one row of delivery.lease, until all are recorded. */
export interface Batch {
  readonly id: string;
  /** Who held it when it was begun. */
  readonly worker: string;
  /** How many of its deliveries were given to dispatch; 0 before. */
  size: number;
  recorded: number;
}

/** The queue of an `ordered` endpoint in the hands of one worker. */
export interface Hold {
  /** Of the row of delivery.hold. */
  readonly name: string;
  /** Who held it when the delivery was read: one that was given up by the others may hold it again, and begins anew. */
  readonly worker: string;
}

/** One delivery that is to be attempted now. */
export interface Task {
  /** UUID, without `dlv_`. */
  readonly id: string;
  readonly endpoint: number;
  readonly sequence: number;
  /** The id in the body, `evt_…`. */
  readonly messageId: string;
  readonly type: string;
  readonly key: string;
  readonly body: string;
  /** Characters of memory that it takes, where others have the same body. */
  readonly size?: number;
  /** Number of the attempt to come, over all ladders. */
  readonly number: number;
  /** Failed attempts of the present ladder. */
  readonly tries: number;
  readonly replay: boolean;
  /** Which ladder it is on: a replay begins another one, and what follows for the one before counts no more. */
  readonly ladder: number;
  /** Its row has a state, which a success must clear. */
  readonly exceptional: boolean;
  readonly coalesce: string | null;
  /** The lease that holds it; for an `ordered` endpoint's queue the lane's hold. */
  readonly batch: Batch | null;
  readonly lane: Hold | null;
  /** When the replay that it is was asked for: one that is asked for while it is under way comes after it. Known in lanes alone. */
  readonly replayedAt?: string | null;
  /** What is personal in the body was erased, and reads null in what is sent. */
  readonly erased?: boolean;
}

/** Whether this worker has it, in its present life. */
export const isHeldBy = (worker: string, { batch, lane }: Pick<Task, 'batch' | 'lane'>): boolean =>
  (lane ?? batch)?.worker === worker;

/** A delivery as it waits in the database. */
export interface WaitingRow {
  readonly id: string;
  readonly sequence: number;
  readonly message_id: string;
  readonly type: string;
  readonly key: string;
  readonly tries: number;
  readonly replay: boolean;
  readonly ladder: number;
  readonly body: string;
  /** Of the attempt to come. */
  readonly number: number;
}

type Held = Pick<Task, 'endpoint' | 'coalesce' | 'batch' | 'lane' | 'replayedAt'>;

/** What has waited is to be attempted now. */
export const taskOf = (row: WaitingRow, held: Held): Task => ({
  id: row.id,
  sequence: row.sequence,
  messageId: `evt_${row.message_id}`,
  type: row.type,
  key: row.key,
  body: row.body,
  number: Number(row.number),
  tries: row.tries,
  replay: row.replay,
  ladder: row.ladder,
  exceptional: true,
  ...held,
});
