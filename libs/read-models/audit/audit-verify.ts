import { eventAt, pagesAfter, parseStream, streamName, type EventStore, type RecordedEvent } from '#event-store';
import { publicEventId } from '#kernel';
import { cutToSize, isFull, type Workspaces } from '#postgres';
import { beginning, link, type ChainHead } from './audit-chain';
import { hashOf } from './audit-entry';
import { auditColumns, entryOf, type AuditRow } from './audit.query';

/**
 * `changed`: differs from the log, or its link is wrong, or its stream is another workspace's. `missing`: the log has it, or its thing has no event at
 * the revision before. `inserted`: the log has it not, or it stands in a stream of the workspace and says to be another's. `out of order`: it stands
 * elsewhere in the log.
 */
export type BreakReason = 'changed' | 'missing' | 'inserted' | 'out of order';

export type Verdict =
  | {
      readonly ok: true;
      /** Entries that were looked at. */
      readonly entries: number;
      /** Of the last one: what a caller keeps, to begin there next time. */
      readonly position: number;
      readonly hash: string | null;
      /** False when the deadline came first. */
      readonly complete: boolean;
    }
  | {
      readonly ok: false;
      readonly broken: { readonly id: string | null; readonly position: number; readonly reason: BreakReason };
    };

export interface VerifyOptions {
  /** Begins after this entry, whose hash must be `expectedHash` when that is given. */
  readonly fromPosition?: number | undefined;
  readonly expectedHash?: string | undefined;
  /** Ends early, with `complete: false`, once it is aborted. */
  readonly deadline?: AbortSignal | undefined;
  /** Told after each batch. */
  readonly onProgress?: (entries: number, position: number) => void;
  /** Runs the look at each batch: others may be before it. */
  readonly turn?: <T>(look: () => Promise<T>) => Promise<T>;
  /** At most so many entries are in memory at once. */
  readonly batch?: number;
}

interface Parts {
  readonly db: Workspaces;
  readonly store: EventStore;
}

/** A row with what it is found by. */
interface Row extends Omit<AuditRow, 'at'> {
  /** Both epoch ms, with what is finer: of times that nobody could read there is nothing else to compare. */
  readonly at_ms: number;
  readonly latest: number;
  readonly subject: string | null;
}

const ROW_COLUMNS = `${auditColumns(`${millisOf('at')} as at_ms`)}, ${millisOf('latest')} as latest, subject`;

/** Also of a time that is no longer a time. */
function millisOf(column: string): string {
  return `(extract(epoch from ${column}) * 1000)::float8`;
}

const BATCH = 1_000;

/** Reads a workspace's log and its audit log side by side and says whether they are equal and every link holds; names the first entry that is not. */
export async function verifyAudit(parts: Parts, workspace: string, options: VerifyOptions = {}): Promise<Verdict> {
  const verdict = await compared(parts, workspace, options);
  // What says to be another's is not among the workspace's events, though its streams hold it.
  const stranger = await parts.store.strangerIn?.(workspace);
  if (!stranger || (!verdict.ok && verdict.broken.position <= stranger.position)) return verdict;
  return broken(publicEventId(stranger.id), stranger.position, 'inserted');
}

async function compared(parts: Parts, workspace: string, options: VerifyOptions): Promise<Verdict> {
  const from = options.fromPosition ?? 0;
  const chain = from > 0 ? await startAt(parts, workspace, from, options.expectedHash) : beginning();
  if ('ok' in chain) return chain;
  const { upTo, head, stray } = await targetOf(parts.db, workspace);
  const batch = options.batch ?? BATCH;
  const looked = (complete: boolean): Verdict => {
    const { entries, position, hash } = chain;
    return { ok: true, entries, position, hash, complete };
  };
  const pairs = sideBySide(parts, workspace, { from, upTo, batch });
  const look = () => firstBreak(parts, workspace, pairs, chain, batch);
  const { turn = (work) => work() } = options;
  for (let found = await turn(look); found !== 'end'; found = await turn(look)) {
    if (found) return found;
    options.onProgress?.(chain.entries, chain.position);
    if (options.deadline?.aborted) return looked(false);
  }
  if (stray) return broken(publicEventId(stray.event_id), stray.position, 'inserted');
  // What both the log and the view have lost at their end the head of the chain still remembers.
  if (!head && chain.position > 0) return broken(null, chain.position, 'missing');
  if (head && !isHeadOf(chain, head, from > 0))
    return broken(null, head.position, head.position > chain.position ? 'missing' : 'changed');
  // Of a view that says to have come further than there are events, those to come would be missing.
  if (upTo > (await parts.store.head())) return broken(null, upTo, 'changed');
  return looked(true);
}

/** What is wrong among the next `batch` pairs, if anything is; or `end` when there are no more. */
async function firstBreak(
  parts: Parts,
  workspace: string,
  pairs: AsyncGenerator<Pair>,
  chain: ChainHead,
  batch: number,
): Promise<Verdict | 'end' | undefined> {
  for (let left = batch; left > 0; left--) {
    const next = await pairs.next();
    if (next.done) return 'end';
    const [event, row, isBehindGap] = next.value as Pair;
    const reason = (await breakOf(parts, workspace, event, row, chain)) ?? (isBehindGap ? 'missing' : undefined);
    if (reason)
      return broken(
        event && (!row || event.position <= row.position) ? publicEventId(event.id) : publicEventId(row!.event_id),
        (event ?? row)!.position,
        reason,
      );
  }
  return undefined;
}

const broken = (id: string | null, position: number, reason: BreakReason): Verdict => ({
  ok: false,
  broken: { id, position, reason },
});

interface Target {
  readonly upTo: number;
  readonly head: ChainHead | undefined;
  /** An entry that stands before all positions, or where the view has not come to yet: it came by another way. */
  readonly stray: Pick<AuditRow, 'event_id' | 'position'> | undefined;
}

/** How far the view is, the head of the chain there, and what stands outside: all of one moment. */
async function targetOf(db: Workspaces, workspace: string): Promise<Target> {
  const [row] = await db
    .inWorkspace(workspace)
    .query<{ up_to: number; stray: Target['stray'] | null; entries: number | null } & Omit<ChainHead, 'entries'>>(
      `select greatest(0, least(coalesce(c.position, 0), ${Number.MAX_SAFE_INTEGER})) as up_to, h.entries, h.position, encode(h.hash, 'hex') as hash, ${millisOf('h.latest')} as latest, h.lag,
         (select json_build_object('event_id', b.event_id, 'position', b.position)
          from read.audit b where b.workspace = $1 and b.position not between 1 and coalesce(c.position, 0) order by b.position limit 1) as stray
       from (values (1)) one left join projector.checkpoint c on c.name = 'audit' and c.status = 'current'
       left join projector.audit_head h on h.version = c.version and h.workspace = $1`,
      [workspace],
    );
  const { up_to: upTo, stray, entries, ...head } = row!;
  return { upTo, stray: stray ?? undefined, head: entries === null ? undefined : { entries, ...head } };
}

/** Whether what is kept of a chain is what was found; of a part of it, it may have had more entries and later clocks. */
const isHeadOf = (chain: ChainHead, head: ChainHead, isPart: boolean): boolean =>
  head.position === chain.position &&
  head.hash === chain.hash &&
  head.latest === chain.latest &&
  (isPart ? head.lag >= chain.lag : head.lag === chain.lag && head.entries === chain.entries);

/** The chain up to the entry that was kept, which must be what the log says. */
async function startAt(
  parts: Parts,
  workspace: string,
  position: number,
  expected: string | undefined,
): Promise<Verdict | ChainHead> {
  const [row] = await parts.db.inWorkspace(workspace).query<Row & { before: number | null }>(
    `select ${ROW_COLUMNS}, (select ${millisOf('latest')} from read.audit b where workspace = $1 and b.position < $2 order by b.position desc limit 1) as before
      from read.audit where workspace = $1 and position = $2`,
    [workspace, position],
  );
  if (!row) return broken(null, position, 'missing');
  const chain = { ...beginning(), hash: row.previous_hash, latest: row.before ?? 0 };
  const event = await eventAt(parts.store, position, workspace);
  const reason =
    expected !== undefined && row.hash !== expected ? 'changed' : await breakOf(parts, workspace, event, row, chain);
  return reason ? broken(publicEventId(row.event_id), position, reason) : { ...chain, entries: 0 };
}

/** What is compared: after `from`, up to and with `upTo`, so many at a time. */
interface Stretch {
  readonly from: number;
  readonly upTo: number;
  readonly batch: number;
}

type Pair = readonly [event: RecordedEvent | undefined, row: Row | undefined, isBehindGap: boolean];

/** Events and rows of equal position together, each alone where the other has none. */
async function* sideBySide(parts: Parts, workspace: string, stretch: Stretch): AsyncGenerator<Pair> {
  const events = eventsOf(parts.store, workspace, stretch);
  const rows = rowsOf(parts.db, workspace, stretch);
  let logged = (await events.next()).value as Logged | undefined;
  let row = (await rows.next()).value as Row | undefined;
  while (logged || row) {
    const event = logged?.event;
    const isEventFirst = event !== undefined && (!row || event.position <= row.position);
    const isRowFirst = row !== undefined && (!event || row.position <= event.position);
    yield [isEventFirst ? event : undefined, isRowFirst ? row : undefined, isEventFirst && logged!.isBehindGap];
    if (isEventFirst) logged = (await events.next()).value as Logged | undefined;
    if (isRowFirst) row = (await rows.next()).value as Row | undefined;
  }
}

interface Logged {
  readonly event: RecordedEvent;
  /** Its stream has none at the revision before. */
  readonly isBehindGap: boolean;
}

async function* eventsOf(store: EventStore, workspace: string, stretch: Stretch): AsyncGenerator<Logged, undefined> {
  for await (const events of pagesAfter(store, workspace, { ...stretch, after: stretch.from })) {
    const behind = await store.firstBehindGap?.(events);
    for (const event of events) yield { event, isBehindGap: event === behind };
  }
  return undefined;
}

const PAGE = `select ${ROW_COLUMNS}, is_cut from ${cutToSize(
  'select * from read.audit where workspace = $1 and position > $2 and position <= $3 order by position limit $4',
  'octet_length(r.data)',
)} r order by position`;

async function* rowsOf(
  db: Workspaces,
  workspace: string,
  { from, upTo, batch: limit }: Stretch,
): AsyncGenerator<Row, undefined> {
  for (let after = from; ;) {
    const rows = await db
      .inWorkspace(workspace)
      .query<Row & { is_cut: boolean }>(PAGE, [workspace, after, upTo, limit]);
    yield* rows;
    if (!isFull(rows, limit)) return undefined;
    after = rows.at(-1)!.position;
  }
}

/** What is wrong with an event and the row beside it; the chain goes on to the event. */
async function breakOf(
  parts: Parts,
  workspace: string,
  event: RecordedEvent | undefined,
  row: Row | undefined,
  chain: ChainHead,
): Promise<BreakReason | undefined> {
  if (event && row && event.id === row.event_id)
    return isOf(workspace, event) && isSame(chain, event, row) ? undefined : 'changed';
  if (event && (await hasRow(parts.db, workspace, event))) return 'out of order';
  const place = row && (await placeOf(parts.store, workspace, row));
  // An event in its place that is not among the workspace's was given to another.
  if (place !== undefined) return place === row!.position ? 'changed' : 'out of order';
  if (event && row) return 'changed';
  return event ? 'missing' : 'inserted';
}

/** An entry says of a stream what and which, and not whose. */
const isOf = (workspace: string, { stream, metadata }: RecordedEvent): boolean =>
  metadata.workspace === workspace && parseStream(stream).workspace === workspace;

/**
 * The hash covers every field that is shown, so equal hashes, one from the log and one from the row, are equal entries: of the data as it is
 * kept, which an export writes as it stands. What steers the lists is held beside it.
 */
function isSame(chain: ChainHead, event: RecordedEvent, row: Row): boolean {
  try {
    const { entry, latest, subject } = link(chain, event);
    if (row.hash !== entry.hash || row.latest !== latest || row.subject !== subject) return false;
    if (row.at_ms !== Date.parse(entry.at)) return false;
    return hashOf(entryOf({ ...row, at: entry.at }), row.data) === entry.hash;
  } catch {
    // Data that is not JSON any more, or nests deeper than any that we wrote, was changed.
    return false;
  }
}

/** Among the entries of its own thing. */
async function hasRow(db: Workspaces, workspace: string, { id, stream }: RecordedEvent): Promise<boolean> {
  const rows = await db
    .inWorkspace(workspace)
    .query('select 1 from read.audit where workspace = $1 and entity_id = $2 and event_id = $3 limit 1', [
      workspace,
      parseStream(stream).id,
      id,
    ]);
  return rows.length > 0;
}

/** Where a row's event stands in the log; undefined when its stream does not hold it. */
async function placeOf(store: EventStore, workspace: string, row: Row): Promise<number | undefined> {
  const events = await store.read(streamName(row.entity_type, workspace, row.entity_id));
  return events.find(({ id }) => id === row.event_id)?.position;
}
