import { uuidv7 } from '#kernel';
import type { EventStore, RecordedEvent } from '#event-store';
import type { Database, Sql } from '#postgres';
import { messagesOf } from '#public-messages';
import type { Batch } from '../dispatch/task';
import { Draft, Place } from '../intake/draft';
import { handOver, type HandOverNeeds } from '../intake/hand-over';
import type { EndpointEvent } from '#webhooks';
import { applyChange, lockOutIntakes, raiseVersion, UNKNOWN_START } from './apply-change';
import { ENDPOINT_CHANGED, endpointChange, type EndpointChange } from './endpoint-change';
import { Endpoint, type EndpointRow } from './endpoint';
import { endpointByNumber, type EndpointDirectory } from './endpoint-directory';
import { insertFromLog, stretch } from './newly-wanted';
import { startPosition } from './start-position';

const PAGE = 500;
/** With more than this ahead, it reads on beside the live intake; the rest is read while the intakes wait. */
const LAST_STRETCH = 200;

export interface CatchUpNeeds extends HandOverNeeds {
  readonly db: Database;
  readonly store: EventStore;
  readonly directory: EndpointDirectory;
  readonly now: () => string;
  readonly worker: () => string;
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
  if (row.cursor === UNKNOWN_START) {
    const start = await startPosition(needs.store, row.workspace, row.config.startFrom!, row.position);
    await needs.db.query(
      "update delivery.endpoint set cursor = $2 where no = $1 and phase = 'catching_up' and cursor = $3",
      [no, start, UNKNOWN_START],
    );
    return true;
  }
  const { events } = await needs.store.readAll({ after: row.cursor, limit: PAGE, workspace: row.workspace });
  const change = firstChange(row, events);
  if (change?.index === 0) await needs.exclusively(() => applyChange(needs, change.change));
  else if (change) await step(needs, no, events.slice(0, change.index));
  else if (events.length >= LAST_STRETCH) await step(needs, no, events);
  else await needs.exclusively(() => switchToLive(needs, no));
  return true;
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
  const after = await needs.db.tx(async (sql) => {
    const row = await endpointByNumber(sql, no, 'for no key update');
    if (row?.phase !== 'catching_up') return;
    const fresh = events.filter(({ position }) => position > row.cursor);
    const written = await write(needs, sql, row, fresh);
    await sql.query('update delivery.endpoint set cursor = $2 where no = $1', [
      no,
      Math.max(row.cursor, fresh.at(-1)?.position ?? 0),
    ]);
    return written;
  });
  after?.();
}

async function switchToLive(needs: CatchUpNeeds, no: number): Promise<void> {
  const { db, store, directory } = needs;
  const after = await db.tx(async (sql) => {
    await lockOutIntakes(sql);
    const row = await endpointByNumber(sql, no, 'for no key update');
    if (row?.phase !== 'catching_up') return;
    const head = await store.head();
    const pages: (readonly RecordedEvent[])[] = [];
    for await (const events of stretch(store, row.workspace, row.cursor, head)) pages.push(events);
    if (pages.some((events) => firstChange(row, events))) return;
    const hands: (() => void)[] = [];
    for (const events of pages) hands.push(await write(needs, sql, row, events));
    const version = await raiseVersion(sql);
    await sql.query("update delivery.endpoint set phase = 'live', cursor = $2, version = $3 where no = $1", [
      no,
      Math.max(head, row.cursor),
      version,
    ]);
    return () => hands.forEach((hand) => hand());
  });
  await directory.refresh();
  after?.();
}

/** Writes the deliveries of some events; returns what hands them to dispatch, for after the commit. */
async function write(
  needs: CatchUpNeeds,
  sql: Sql,
  row: EndpointRow,
  events: readonly RecordedEvent[],
): Promise<() => void> {
  const endpoint = new Endpoint(row, needs.decrypt);
  const ms = Date.parse(needs.now());
  const draft = new Draft(() => ms);
  let room = needs.room(endpoint);
  const placeOf = () => (row.config.ordered ? Place.queue : room-- > 0 ? Place.memory : Place.retry);
  for (const event of events)
    for (const message of messagesOf(event))
      if (message.isWebhook)
        draft.add(
          message,
          [{ contract: endpoint.contract, endpoints: [endpoint] }],
          (it, type) => it.at(message.position, type),
          placeOf,
        );
  const batch: Batch = { id: uuidv7(), left: 0 };
  const sequences = await insertFromLog(sql, draft, batch.id, needs.now(), needs.worker());
  return () => {
    needs.onTaken(sequences.length);
    handOver(draft, sequences, batch, needs);
  };
}
