import { isUuid, PAGE_SIZE } from '#kernel';
import { cutToSize, isFull, SERVER_VERSION, storedSize, type Database } from '#postgres';
import { followLoop } from '../port/follow-loop';
import {
  EventStoreUnavailableError,
  WrongRevisionError,
  type Appended,
  type EventStore,
  type LogBatch,
  type LogPage,
  type NewEvent,
  type Position,
  type ReadAllOptions,
  type RecordedEvent,
  type Revision,
  type StreamName,
} from '../port/event-store';
import { Batcher, type Waiting } from './batcher';
import { isRefusal, unavailable } from './faults';
import { GAP, STRANGER, withoutForerunner, type Stranger } from './log-checks';
import { COLUMNS, fromRow, toAppend, toParameters, type Append, type EventRow, recordedOf } from './rows';
import { RecentEvents } from './recent-events';

export interface PostgresEventStoreOptions {
  /** Events in one append statement (500). An append that is larger alone goes alone. */
  readonly maxBatchEvents?: number;
  /** After so many milliseconds without an answer a call is given up as unavailable (30,000). */
  readonly deadlineMs?: number;
  /** Hears of faults that no caller waits for, such as a NOTIFY that was not sent. */
  readonly onFault?: (error: Error) => void;
}

const CHANNEL = 'log_appended';
const MAX_BATCH_CHARACTERS = 4_000_000;
const MAX_BATCH_READS = 200;

const APPEND = 'select outcome, revision, position from log.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)';
/** In subselects, since for arrays that it knows ahead PostgreSQL plans anew each time, which takes longer than to read. */
const READ = `select wanted.no::int as no, ${COLUMNS}
  from unnest((select $1::text[]), (select $2::int[]), (select $3::int[])) with ordinality wanted (stream, first, last, no)
  cross join lateral (select * from log.event e where e.stream = wanted.stream and e.revision between wanted.first and wanted.last) e
  order by wanted.no, e.revision`;
const page = (where = ''): string =>
  cutToSize(
    `select * from log.event e where ${where}e.position >= $1 and e.position <= $2 order by e.position limit $3`,
    storedSize('data'),
    '$4',
  );
const READ_ALL = `select ${COLUMNS}, e.is_cut from ${page()} e order by e.position`;
/** Tells the head of the same moment, so that what belongs to others is passed too. */
const READ_WORKSPACE = `select h.position as head, ${COLUMNS}, e.is_cut from log.head h
  left join lateral ${page('e.workspace = $5 and ')} e on true
  order by e.position`;

interface PageRow extends EventRow {
  readonly is_cut: boolean;
}

interface ReadRequest {
  readonly stream: StreamName;
  readonly from: Revision;
  readonly to: Revision;
}

const LAST_REVISION = 2 ** 31 - 1;
/** The least that the column holds, as text since a number rounds it: what was put before the first event by another way is read too. */
const LEAST_POSITION = '-9223372036854775808';

/** The log as PostgreSQL tables. Concurrent appends share one statement and one commit; concurrent reads share one query. */
export class PostgresEventStore implements EventStore {
  readonly anyPosition = true;
  readonly byWorkspace = true;
  private readonly appends: Batcher<Append, Appended>;
  private readonly reads: Batcher<ReadRequest, readonly RecordedEvent[]>;
  private readonly hearers = new Set<() => void>();
  private readonly recent = new RecentEvents();
  private readonly closing = new AbortController();
  private readonly deadlineMs: number;
  private readonly onFault: (error: Error) => void;
  /** The newest position that other processes must hear of, and the NOTIFY that is under way. */
  private toNotify: Position | undefined;
  private notifying: Promise<void> | undefined;

  constructor(
    private readonly db: Database,
    { maxBatchEvents = 500, deadlineMs = 30_000, onFault = () => undefined }: PostgresEventStoreOptions = {},
  ) {
    this.deadlineMs = deadlineMs;
    this.onFault = onFault;
    this.appends = new Batcher(
      () => oncePerStream(maxBatchEvents),
      (batch) => this.send(batch),
    );
    this.reads = new Batcher(
      () => upToReads(),
      (batch) => this.fetch(batch),
    );
  }

  async append(stream: StreamName, events: readonly NewEvent[], expected: Revision): Promise<Appended> {
    if (events.length === 0) throw new RangeError(`Nothing to append to ${stream}`);
    return this.appends.ask(toAppend(stream, events, expected));
  }

  async read(stream: StreamName, from: Revision = 0, limit = LAST_REVISION): Promise<readonly RecordedEvent[]> {
    return this.reads.ask({ stream, from, to: Math.min(LAST_REVISION, Math.max(0, from) + limit - 1) });
  }

  async readAll({
    after: from,
    inclusive,
    limit,
    size = PAGE_SIZE,
    workspace,
    upTo = Number.MAX_SAFE_INTEGER,
  }: ReadAllOptions): Promise<LogPage> {
    const after = inclusive ? from - 1 : from;
    const first = after === 0 ? LEAST_POSITION : after + 1;
    if (workspace === undefined) {
      const rows = await this.query<PageRow>(READ_ALL, [first, upTo, limit, size]);
      return { events: rows.map(fromRow), position: rows.at(-1)?.position ?? after, isFull: isFull(rows, limit) };
    }
    const params = [first, upTo, limit, size, workspace];
    const rows = await this.query<PageRow & { head: Position }>(READ_WORKSPACE, params);
    const own = rows.filter(({ id }) => id !== null);
    const page = { events: own.map(fromRow), isFull: isFull(own, limit) };
    return { ...page, position: page.isFull ? own.at(-1)!.position : Math.max(after, Math.min(upTo, rows[0]!.head)) };
  }

  async positionOf(workspace: string, eventId: string): Promise<Position | undefined> {
    if (!isUuid(eventId)) return undefined;
    const [row] = await this.query<{ position: Position }>(
      'select position from log.event where event_id = $1 and workspace = $2',
      [eventId, workspace],
    );
    return row?.position;
  }

  async strangerIn(workspace: string): Promise<Stranger | undefined> {
    const [row] = await this.query<Stranger>(STRANGER, [workspace]);
    return row;
  }

  async firstBehindGap(events: readonly RecordedEvent[]): Promise<RecordedEvent | undefined> {
    const asked = withoutForerunner(events);
    if (asked.length === 0) return undefined;
    const streams = asked.map(({ stream }) => stream);
    const [row] = await this.query<{ no: number }>(GAP, [streams, asked.map(({ revision }) => revision - 1)]);
    return row && asked[row.no - 1];
  }

  async head(): Promise<Position> {
    const [row] = await this.query<{ position: Position }>('select position from log.head');
    return row!.position;
  }

  follow(options: Parameters<EventStore['follow']>[0]): AsyncIterable<LogBatch> {
    const log = {
      readAll: async (range: ReadAllOptions) => this.recent.after(range) ?? this.readAll(range),
      onAppend: (wake: () => void) => this.onAppend(wake),
    };
    return followLoop(log, { ...options, signal: AbortSignal.any([options.signal, this.closing.signal]) });
  }

  async check(): Promise<{ engine: string; version: string }> {
    const [row] = await this.query<{ version: string }>(`select ${SERVER_VERSION} as version`);
    return { engine: 'PostgreSQL', version: row!.version };
  }

  /** Ends the followers, and resolves when others have been told of the last append; the Database belongs to whoever opened it. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.notifying;
  }

  private async send(batch: readonly Waiting<Append, Appended>[]): Promise<void> {
    let answers: { outcome: 'appended' | 'same' | 'wrong'; revision: Revision; position: Position }[];
    try {
      answers = await this.query(APPEND, toParameters(batch.map(({ request }) => request)));
    } catch (error) {
      // One caller's event that PostgreSQL refuses (an id that stands elsewhere) must not fail its neighbours.
      if (batch.length === 1 || error instanceof EventStoreUnavailableError) throw error;
      for (const one of batch)
        await this.send([one]).catch((fault: Error) => {
          // A server that answers no more is not asked for the others one by one: they are given up with this one.
          if (fault instanceof EventStoreUnavailableError) throw fault;
          one.reject(fault);
        });
      return;
    }
    const appended: RecordedEvent[] = [];
    let size = 0;
    batch.forEach(({ request, resolve, reject }, index) => {
      const { stream, expected } = request;
      const { outcome, revision, position } = answers[index]!;
      if (outcome === 'wrong') return reject(new WrongRevisionError(stream, expected, revision));
      if (outcome === 'appended') {
        appended.push(...recordedOf(request, position));
        size += request.characters;
      }
      resolve({ revision, position, repeated: outcome === 'same' });
    });
    if (appended.length === 0) return;
    this.recent.add(appended, size);
    this.announce(this.recent.newest);
  }

  private async fetch(batch: readonly Waiting<ReadRequest, readonly RecordedEvent[]>[]): Promise<void> {
    const rows = await this.query<EventRow & { no: number }>(READ, [
      batch.map(({ request }) => request.stream),
      batch.map(({ request }) => request.from),
      batch.map(({ request }) => request.to),
    ]);
    const answers = batch.map((): RecordedEvent[] => []);
    for (const row of rows) answers[row.no - 1]!.push(fromRow(row));
    batch.forEach(({ resolve }, index) => resolve(answers[index]!));
  }

  /**
   * Wakes the followers here at once and those elsewhere by NOTIFY. Not from within the append: a transaction that
   * notifies holds a lock of the whole server while it waits for the disk.
   */
  private announce(position: Position): void {
    for (const wake of this.hearers) wake();
    this.toNotify = position;
    this.notifying ??= this.notify();
  }

  private async notify(): Promise<void> {
    while (this.toNotify !== undefined) {
      const position = this.toNotify;
      this.toNotify = undefined;
      await this.db.notify(CHANNEL, String(position)).catch(this.onFault);
    }
    this.notifying = undefined;
  }

  private onAppend(wake: () => void): () => void {
    this.hearers.add(wake);
    // What this process has just handed over itself needs no second look.
    const unlisten = this.db.listen(CHANNEL, (position) => {
      if (position === '' || Number(position) > this.recent.newest) wake();
    });
    return () => {
      this.hearers.delete(wake);
      unlisten();
    };
  }

  /** Rejects with EventStoreUnavailableError for what passes, with PostgreSQL's own error for what it refuses. */
  private async query<Row>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new EventStoreUnavailableError(`The event log on PostgreSQL did not answer within ${this.deadlineMs} ms`),
          ),
        this.deadlineMs,
      );
    });
    try {
      return await Promise.race([this.db.query<Row>(text, params), late]);
    } catch (error) {
      throw isRefusal(error) ? error : unavailable(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A stream may be in a batch once: its second append needs the first one's result. Those behind it in line stay behind it. */
function oncePerStream(maxEvents: number): (append: Append) => boolean {
  const seen = new Set<StreamName>();
  let [events, characters] = [0, 0];
  return (append) => {
    if (seen.has(append.stream)) return false;
    seen.add(append.stream);
    if (events + append.events.length > maxEvents || characters + append.characters > MAX_BATCH_CHARACTERS)
      return false;
    events += append.events.length;
    characters += append.characters;
    return true;
  };
}

function upToReads(): () => boolean {
  let reads = 0;
  return () => reads++ < MAX_BATCH_READS;
}
