import { setTimeout as pause } from 'node:timers/promises';
import { pagesAfter, type EventStore, type RecordedEvent } from '#event-store';
import { grouped } from '#kernel';
import type { Database, Sql } from '#postgres';
import { messagesOf } from '#public-messages';
import type { EndpointEvent } from '#webhooks';
import type { Leases } from '../dispatch/leases';
import type { Batch } from '../dispatch/task';
import { Draft, Place, type PlaceNumber } from '../intake/draft';
import { handOver, type HandOverNeeds } from '../intake/hand-over';
import { MAX_SIZE } from '../intake/intake';
import { applyChange, lockOutIntakes, raiseVersion, UNKNOWN_START } from './apply-change';
import { Endpoint, type EndpointRow } from './endpoint';
import { ENDPOINT_CHANGED, endpointChange, type EndpointChange } from './endpoint-change';
import { catchingUp, endpointByNumber, type EndpointDirectory } from './endpoint-directory';
import { insertFromLog } from './newly-wanted';
import { isAhead, startPosition } from './start-position';

const PAGE = 500;
/** With more than this ahead, it reads on beside the live intake; the rest is read while the intakes wait. */
const LAST_STRETCH = 200;
const LAST_PAGE = 1_000;

export interface CatchUpNeeds extends HandOverNeeds {
  readonly db: Database;
  readonly store: EventStore;
  readonly directory: EndpointDirectory;
  readonly now: () => string;
  readonly leases: Leases;
  readonly decrypt: (box: string) => string;
  readonly room: (endpoint: Endpoint) => number;
  /** One at a time in this process: what locks the intakes out. */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>;
  readonly onTaken: (deliveries: number) => void;
}

/**
 * Reads the log for one endpoint from its cursor and writes what it should have; near the head it locks the intakes out for the
 * last stretch and makes the endpoint live from there. Every step moves the cursor in the transaction of its deliveries, so it
 * can be stopped anywhere. Returns false when the endpoint needs no catch-up (any more).
 */
export async function catchUpOnce(needs: CatchUpNeeds, no: number): Promise<boolean> {
  const row = await endpointByNumber(needs.db, no);
  if (!row || row.phase !== 'catching_up') return false;
  if (await findStart(needs, row)) return true;
  const { workspace, cursor } = row;
  const { events, isFull } = await needs.store.readAll({ after: cursor, limit: PAGE, workspace });
  if (firstChange(row, events) || isFull || events.length >= LAST_STRETCH) await give(needs, no, events);
  else await needs.exclusively(() => switchToLive(needs, [no]));
  return true;
}

/** Sets the cursor of an endpoint that asked for an earlier start, if that has yet to be found. */
export async function findStart({ db, store }: CatchUpNeeds, row: EndpointRow): Promise<boolean> {
  if (row.cursor !== UNKNOWN_START) return false;
  const start = await startPosition(store, row.workspace, row.config.startFrom!, row.position);
  await db.query("update delivery.endpoint set cursor = $2 where no = $1 and phase = 'catching_up' and cursor = $3", [
    row.no,
    start,
    UNKNOWN_START,
  ]);
  return true;
}

/** Gives an endpoint that catches up the next events of its workspace, in log order, its own changes among them. */
export async function give(needs: CatchUpNeeds, no: number, events: readonly RecordedEvent[]): Promise<void> {
  for (;;) {
    const row = await endpointByNumber(needs.db, no);
    if (row?.phase !== 'catching_up') return;
    const fresh = events.filter(({ position }) => position > row.cursor);
    if (fresh.length === 0) return;
    const change = firstChange(row, fresh);
    if (change?.index === 0) await needs.exclusively(() => applyChange(needs, change.change));
    else await step(needs, no, change ? fresh.slice(0, change.index) : fresh);
  }
}

/**
 * The endpoint's own next change among some events. Reading the log in order it meets them where they belong, though the bus may
 * be late with them; what is applied here has no effect when it comes by the bus.
 */
function firstChange(
  row: EndpointRow,
  events: readonly RecordedEvent[],
): { readonly index: number; readonly change: EndpointChange } | undefined {
  for (const [index, event] of events.entries()) {
    if (event.position <= row.position || !CHANGES.has(event.type)) continue;
    const message = messagesOf(event).find(
      ({ type, aboutEndpoint }) => type === ENDPOINT_CHANGED && aboutEndpoint === row.id,
    );
    if (message) return { index, change: endpointChange(message) };
  }
  return undefined;
}

/** The log's events that are endpoint changes, so that the others need not be mapped to know. */
const CHANGES: ReadonlySet<string> = new Set<EndpointEvent['type']>([
  'EndpointUpdated',
  'EndpointEnabled',
  'EndpointDisabled',
  'SecretRotated',
  'EndpointDeleted',
]);

async function step(needs: CatchUpNeeds, no: number, events: readonly RecordedEvent[]): Promise<void> {
  await needs.leases.writing(async (begin) => {
    const after = await needs.db.tx(async (sql) => {
      const row = await endpointByNumber(sql, no, 'for no key update');
      if (row?.phase !== 'catching_up') return;
      const fresh = events.filter(({ position }) => position > row.cursor);
      const { taken, hand } = await write(needs, sql, row, fresh, begin());
      await sql.query('update delivery.endpoint set cursor = $2 where no = $1', [
        no,
        Math.max(row.cursor, fresh[taken - 1]?.position ?? 0),
      ]);
      return hand;
    });
    after?.();
  });
}

/** The last stretch, while the intakes wait; then they are live from the head. What has met a change of its own goes on as before. */
export async function switchToLive(needs: CatchUpNeeds, nos: readonly number[]): Promise<void> {
  const { db, leases, directory } = needs;
  await leases.writing(async (begin) => {
    const after = await db.tx((sql) => lastStretch(needs, sql, nos, begin));
    await directory.refresh();
    after?.();
  });
}

/** Returns what hands it over, for after the commit. */
async function lastStretch(
  needs: CatchUpNeeds,
  sql: Sql,
  nos: readonly number[],
  begin: () => Batch,
): Promise<(() => void) | undefined> {
  const { store } = needs;
  await lockOutIntakes(sql);
  const rows = await catchingUp(sql, nos, 'for no key update');
  if (rows.length === 0) return;
  const head = await store.head();
  const [first] = rows;
  const workspace = rows.length === 1 ? first!.workspace : undefined;
  const from = Math.min(...rows.map(({ cursor }) => cursor));
  const events: RecordedEvent[] = [];
  for await (const page of pagesAfter(store, workspace, { after: from, upTo: head, batch: LAST_PAGE }))
    events.push(...page);
  const own = byWorkspace(events);
  const hands: (() => void)[] = [];
  const version = await raiseVersion(sql);
  for (const row of rows) {
    const ahead = (own.get(row.workspace) ?? []).filter(({ position }) => position > row.cursor);
    if (firstChange(row, ahead)) continue;
    for (let at = 0; at < ahead.length;) {
      const { taken, hand } = await write(needs, sql, row, ahead.slice(at, at + PAGE), begin());
      hands.push(hand);
      at += taken;
    }
    await sql.query("update delivery.endpoint set phase = 'live', cursor = $2, version = $3 where no = $1", [
      row.no,
      Math.max(head, row.cursor),
      version,
    ]);
  }
  return () => hands.forEach((hand) => hand());
}

/** A long history takes turns with the live flow: after each part it rests as long as that took, at most so long. */
const MAX_REST_MS = 100;

/** Rests after a part that began at this time of `performance.now()`. */
export const restAsLong = (began: number): Promise<void> => pause(Math.min(MAX_REST_MS, performance.now() - began));

/** Events by the workspace they are of, in log order. */
export const byWorkspace = (events: readonly RecordedEvent[]): ReadonlyMap<string, readonly RecordedEvent[]> =>
  grouped(events, ({ metadata }) => metadata.workspace);

/**
 * Whether there is anything to write of some events, by a row that may have been changed since: what changed it stands in the log,
 * and meets the walk there.
 */
export const concerns = (needs: CatchUpNeeds, row: EndpointRow, events: readonly RecordedEvent[]): boolean =>
  firstChange(row, events) !== undefined ||
  draftOf(needs, new Endpoint(row, needs.decrypt), events, () => Place.retry).draft.deliveries.length > 0;

/** Writes the deliveries of some events, as many as fit one statement; returns of how many, and what hands them to dispatch, for after the commit. */
async function write(
  needs: CatchUpNeeds,
  sql: Sql,
  row: EndpointRow,
  events: readonly RecordedEvent[],
  batch: Batch,
): Promise<{ readonly taken: number; readonly hand: () => void }> {
  const endpoint = new Endpoint(row, needs.decrypt);
  let room = needs.room(endpoint);
  const placeOf = () => (row.config.ordered ? Place.queue : room-- > 0 ? Place.memory : Place.retry);
  const { draft, taken } = draftOf(needs, endpoint, events, placeOf);
  const sequences = await insertFromLog(sql, draft, needs.now(), batch);
  const hand = () => {
    needs.onTaken(sequences.length);
    handOver(draft, sequences, batch, needs);
  };
  return { taken, hand };
}

function draftOf(
  { now }: CatchUpNeeds,
  endpoint: Endpoint,
  events: readonly RecordedEvent[],
  placeOf: () => PlaceNumber,
): { readonly draft: Draft; readonly taken: number } {
  const ms = Date.parse(now());
  const draft = new Draft(() => ms);
  const ahead = isAhead(endpoint.row.config.startFrom);
  let taken = 0;
  while (taken < events.length && draft.size < MAX_SIZE) {
    const event = events[taken++]!;
    for (const message of messagesOf(event))
      if (message.isWebhook)
        draft.add(
          message,
          [{ contract: endpoint.contract, endpoints: [endpoint] }],
          (it, { id, type }) => (ahead(event.id, id) ? it.at(message.position, type) : 'skip'),
          placeOf,
        );
  }
  return { draft, taken };
}
