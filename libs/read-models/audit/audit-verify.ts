import { parseStream, type EventStore, type RecordedEvent } from '#event-store';
import { publicEventId } from '#kernel';
import type { Workspaces } from '#postgres';
import { hashOf, linkedEntry, type AuditEntry } from './audit-entry';
import { AUDIT_COLUMNS, entryOf, type AuditRow } from './audit.query';

/** `changed`: differs from the log, or its link is wrong. `missing`: the log has it. `inserted`: the log has it not. `out of order`: it stands elsewhere in the log. */
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
  /** So many entries are in memory at once. */
  readonly batch?: number;
}

interface Head {
  readonly entries: number;
  readonly position: number;
  readonly hash: string;
}

const BATCH = 1_000;

/** Reads a workspace's log and its audit log side by side and says whether they are equal and every link holds; names the first entry that is not. */
export async function verifyAudit(
  { db, store }: { db: Workspaces; store: EventStore },
  workspace: string,
  options: VerifyOptions = {},
): Promise<Verdict> {
  const { upTo, head } = await targetOf(db, workspace);
  const from = options.fromPosition ?? 0;
  const first = from > 0 ? await startAt(db, workspace, from, options.expectedHash) : null;
  if (first && 'ok' in first) return first;
  const batch = options.batch ?? BATCH;
  const pairs = sideBySide({ db, store }, workspace, { from, upTo, batch });
  let previous: string | null = first?.hash ?? null;
  let position = from;
  let entries = 0;
  for await (const [event, row] of pairs) {
    const reason = await breakOf({ db, store }, workspace, event, row, previous);
    if (reason)
      return broken(
        event && (!row || event.position <= row.position) ? publicEventId(event.id) : publicEventId(row!.event_id),
        (event ?? row)!.position,
        reason,
      );
    ({ position, hash: previous } = row!);
    if (++entries % batch !== 0) continue;
    options.onProgress?.(entries, position);
    if (options.deadline?.aborted) return { ok: true, entries, position, hash: previous, complete: false };
  }
  // What both the log and the view have lost at their end the head of the chain still remembers.
  if (
    head &&
    (head.position !== position || head.hash !== previous || (from === 0 && head.entries !== entries)) &&
    head.position >= from
  )
    return broken(null, head.position, head.position > position ? 'missing' : 'changed');
  return { ok: true, entries, position, hash: previous, complete: true };
}

const broken = (id: string | null, position: number, reason: BreakReason): Verdict => ({
  ok: false,
  broken: { id, position, reason },
});

/** How far the view is, and the head of the chain there: both of one moment. */
async function targetOf(db: Workspaces, workspace: string): Promise<{ upTo: number; head: Head | undefined }> {
  const [row] = await db
    .inWorkspace(workspace)
    .query<{ up_to: number; entries: number | null; position: number; hash: string }>(
      `select c.position as up_to, h.entries, h.position, encode(h.hash, 'hex') as hash
       from projector.checkpoint c left join projector.audit_head h on h.version = c.version and h.workspace = $1
      where c.name = 'audit' and c.status = 'current'`,
      [workspace],
    );
  if (!row) return { upTo: 0, head: undefined };
  const { up_to: upTo, entries, position, hash } = row;
  return { upTo, head: entries === null ? undefined : { entries, position, hash } };
}

async function startAt(
  db: Workspaces,
  workspace: string,
  position: number,
  expected: string | undefined,
): Promise<Verdict | { hash: string }> {
  const [row] = await db
    .inWorkspace(workspace)
    .query<{ event_id: string; hash: string }>(
      "select event_id, encode(hash, 'hex') as hash from read.audit where workspace = $1 and position = $2",
      [workspace, position],
    );
  if (!row) return broken(null, position, 'missing');
  if (expected !== undefined && row.hash !== expected) return broken(publicEventId(row.event_id), position, 'changed');
  return row;
}

/** What is compared: after `from`, up to and with `upTo`, so many at a time. */
interface Stretch {
  readonly from: number;
  readonly upTo: number;
  readonly batch: number;
}

type Pair = readonly [event: RecordedEvent | undefined, row: AuditRow | undefined];

/** Events and rows of equal position together, each alone where the other has none. */
async function* sideBySide(
  parts: { db: Workspaces; store: EventStore },
  workspace: string,
  stretch: Stretch,
): AsyncGenerator<Pair> {
  const events = eventsOf(parts.store, workspace, stretch);
  const rows = rowsOf(parts.db, workspace, stretch);
  let event = (await events.next()).value as RecordedEvent | undefined;
  let row = (await rows.next()).value as AuditRow | undefined;
  while (event || row) {
    const isEventFirst = event !== undefined && (!row || event.position <= row.position);
    const isRowFirst = row !== undefined && (!event || row.position <= event.position);
    yield [isEventFirst ? event : undefined, isRowFirst ? row : undefined];
    if (isEventFirst) event = (await events.next()).value as RecordedEvent | undefined;
    if (isRowFirst) row = (await rows.next()).value as AuditRow | undefined;
  }
}

async function* eventsOf(
  store: EventStore,
  workspace: string,
  { from, upTo, batch: limit }: Stretch,
): AsyncGenerator<RecordedEvent, undefined> {
  for (let after = from; after < upTo;) {
    const batch = await store.readAll({ after, limit, workspace, upTo });
    yield* batch.events;
    if (batch.events.length < limit) return undefined;
    after = Math.max(batch.position, batch.events.at(-1)!.position);
  }
  return undefined;
}

async function* rowsOf(
  db: Workspaces,
  workspace: string,
  { from, upTo, batch: limit }: Stretch,
): AsyncGenerator<AuditRow, undefined> {
  for (let after = from; ;) {
    const rows = await db
      .inWorkspace(workspace)
      .query<AuditRow>(
        `select ${AUDIT_COLUMNS} from read.audit where workspace = $1 and position > $2 and position <= $3 order by position limit $4`,
        [workspace, after, upTo, limit],
      );
    yield* rows;
    if (rows.length < limit) return undefined;
    after = rows.at(-1)!.position;
  }
}

async function breakOf(
  parts: { db: Workspaces; store: EventStore },
  workspace: string,
  event: RecordedEvent | undefined,
  row: AuditRow | undefined,
  previous: string | null,
): Promise<BreakReason | undefined> {
  if (event && row && event.id === row.event_id)
    return isSame(linkedEntry(event, previous).entry, row) ? undefined : 'changed';
  if (event && (await hasRow(parts.db, workspace, event))) return 'out of order';
  if (row && (await hasEvent(parts.store, workspace, row))) return 'out of order';
  if (event && row) return 'changed';
  return event ? 'missing' : 'inserted';
}

/** The hash covers every field that is shown, so equal hashes, one from the log and one from the row, are equal entries. */
function isSame(expected: AuditEntry, row: AuditRow): boolean {
  if (row.hash !== expected.hash) return false;
  try {
    return hashOf(entryOf(row)) === expected.hash;
  } catch {
    // Data that is not JSON any more was changed.
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

async function hasEvent(store: EventStore, workspace: string, row: AuditRow): Promise<boolean> {
  const events = await store.read(`${row.entity_type}-${workspace}:${row.entity_id}`);
  return events.some(({ id }) => id === row.event_id);
}
