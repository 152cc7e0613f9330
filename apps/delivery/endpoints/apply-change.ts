import { NO_STREAM, type EventStore } from '#event-store';
import type { Database, Sql } from '#postgres';
import { contracts, matches } from '#webhook-contracts';
import { intoLine } from '../ordered/into-line';
import { changeEras } from './eras';
import type { EndpointChange } from './endpoint-change';
import { endpointByNumber, endpointRow, type EndpointDirectory } from './endpoint-directory';
import { closedReason, isOpen, type EndpointRow } from './endpoint';
import { insertNewlyWanted } from './newly-wanted';
import { changesIn, ownStream } from './own-changes';
import { askedSince, countsUpTo } from './what-follows';

/** The advisory lock that every intake holds shared (delivery.intake), and a change of the endpoints exclusively. */
const LOCK = 7305050;

/** Waits until no intake is under way, and lets none begin until the transaction ends. */
export const lockOutIntakes = async (sql: Sql): Promise<void> =>
  void (await sql.query(`select pg_advisory_xact_lock(${LOCK})`));

/** Raises the version that every intake compares; call it under the exclusive lock. */
export async function raiseVersion(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ version: number }>(
    'update delivery.endpoint_version set version = version + 1 returning version',
  );
  return row!.version;
}

export interface ChangeNeeds {
  readonly db: Database;
  readonly store: EventStore;
  readonly directory: EndpointDirectory;
  readonly now: () => string;
}

/**
 * Brings delivery's own table of endpoints up to a change, whatever the order in which changes and events come in: the log
 * position decides (docs/decisions/0007). A change that is older than the newest one applied has no effect.
 * Returns the row's number, or undefined when there was nothing to do.
 */
export async function applyChange(needs: ChangeNeeds, change: EndpointChange): Promise<number | undefined> {
  const { db, store, directory } = needs;
  if (change.kind === 'updated') await coalesceAnew(db, change);
  if (change.kind === 'enabled') await giveUpFirst(needs, change);
  const stream = ownStream(change.workspace, change.endpointId);
  const known = await store.read(stream);
  const no = await db.tx(async (sql) => {
    await lockOutIntakes(sql);
    const row = await endpointRow(sql, change.workspace, change.endpointId);
    if (!row) return register(sql, change);
    if (row.position >= change.position || row.phase === 'deleted') return undefined;
    const head = await store.head();
    const news = () => store.read(stream, (known.at(-1)?.revision ?? NO_STREAM) + 1);
    const later = async () =>
      changesIn([...known, ...(await news())].filter(({ position }) => position > change.position));
    await update(needs, sql, row, { change, later, head });
    return row.no;
  });
  await directory.refresh();
  return no;
}

/**
 * Takes in endpoints that were registered, together: each by itself would let the intakes wait as often. Returns the numbers of those that
 * were not known.
 */
export async function registerTogether(
  { db, directory }: ChangeNeeds,
  changes: readonly EndpointChange[],
): Promise<readonly number[]> {
  const nos = await db.tx(async (sql) => {
    await lockOutIntakes(sql);
    const registered: number[] = [];
    for (const change of changes)
      if (!(await endpointRow(sql, change.workspace, change.endpointId))) registered.push(await register(sql, change));
    return registered;
  });
  await directory.refresh();
  return nos;
}

/**
 * What waits becomes subject to `latestOnly`, or free of it, with the endpoint. Before the change counts, so that it is made again
 * after a crash, and without the lock: a backlog may be long.
 */
async function coalesceAnew(db: Database, { workspace, endpointId, position, config }: EndpointChange): Promise<void> {
  const [row] = await db.query<{ no: number }>(
    `select no from delivery.endpoint where workspace = $1 and id = $2 and position < $3
       and (config ->> 'latestOnly')::boolean is distinct from $4`,
    [workspace, endpointId, position, config.latestOnly],
  );
  if (!row) return;
  await db.query(
    `update delivery.retry r set coalesce_key = delivery.coalesce_key($2::json, d.type, d.key)
     from delivery.delivery d where r.endpoint = $1 and d.id = r.delivery_id and not d.replay`,
    [row.no, JSON.stringify(config)],
  );
}

/** The cursor of an endpoint whose `startFrom` has yet to be found in the log. */
export const UNKNOWN_START = -1;
const startsNow = (startFrom: string | null): boolean => startFrom === null || startFrom === 'now';

/** It begins as `catching_up`: its first events come from the log, from its registration or where it asked to start. */
async function register(sql: Sql, change: EndpointChange): Promise<number> {
  const { workspace, endpointId, config, position, kind } = change;
  const enabled = config.status === 'enabled';
  const phase = kind === 'deleted' ? 'deleted' : 'catching_up';
  const eras = [{ after: 0, enabled, all: [config.eventTypes] }];
  const version = await raiseVersion(sql);
  const [row] = await sql.query<{ no: number }>(
    `insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning no`,
    [
      workspace,
      endpointId,
      JSON.stringify(config),
      enabled,
      phase,
      position,
      startsNow(config.startFrom) ? position : UNKNOWN_START,
      JSON.stringify(eras),
      version,
    ],
  );
  await sql.query('insert into delivery.sequence (endpoint) values ($1)', [row!.no]);
  return row!.no;
}

/** A change, what follows it in the log (read when it is asked for, while the intakes wait), and how far that had come when they were locked out. */
interface Learned {
  readonly change: EndpointChange;
  readonly later: () => Promise<readonly EndpointChange[]>;
  readonly head: number;
}

async function update(needs: ChangeNeeds, sql: Sql, row: EndpointRow, { change, later, head }: Learned): Promise<void> {
  const { config, position, kind } = change;
  const enabled = config.status === 'enabled';
  // While it catches up nothing but the catch-up gives it events, in log order: what it has read is settled, the rest is ahead.
  const learned = row.phase === 'live' ? head : Math.max(row.cursor, position);
  const changesFlow =
    enabled !== row.enabled || JSON.stringify(config.eventTypes) !== JSON.stringify(row.config.eventTypes);
  const eras = changesFlow
    ? changeEras(row.eras, position, learned, { enabled, eventTypes: config.eventTypes })
    : row.eras;
  const phase = kind === 'deleted' ? 'deleted' : row.phase;
  const version = await raiseVersion(sql);
  // Neither what is enabled again nor another target has failed so far.
  const beginsAnew = (enabled && !row.enabled) || config.targetUrl !== row.config.targetUrl;
  await sql.query(
    `update delivery.endpoint set config = $2, enabled = $3, phase = $4, position = $5, eras = $6, version = $7, failing_since = $8,
       enabled_after = case when $3 and not enabled then $5 else enabled_after end where no = $1`,
    [
      row.no,
      JSON.stringify(config),
      enabled,
      phase,
      position,
      JSON.stringify(eras),
      version,
      beginsAnew ? null : row.failing_since,
    ],
  );
  if (!isOpen({ enabled, phase })) {
    await purge(sql, { no: row.no, phase, config }, needs.now());
    if (phase === 'deleted') return;
  }
  const following = changesFlow ? await later() : [];
  if (enabled && !row.enabled) {
    while ((await purge(sql, row, needs.now())) > 0);
    await reviveDiscarded(sql, row.no, change, following, needs.now());
  }
  if (config.ordered && !row.config.ordered) await intoLine(sql, row.no);
  const upTo = Math.min(learned, countsUpTo(change, following));
  if (changesFlow && upTo > position)
    await insertNewlyWanted(needs, sql, { ...row, config, enabled, phase, eras, version }, row, change, upTo);
}

/** What is given up while the intakes wait; the rest of a long backlog goes after it, page by page. */
const PURGED_AT_ONCE = 1_000;

/** Gives up some of what waits for a closed endpoint; what is in a worker's hands gives itself up when it sees the new version. */
async function purge(sql: Sql, endpoint: Pick<EndpointRow, 'no' | 'phase' | 'config'>, now: string): Promise<number> {
  const [row] = await sql.query<{ given: number }>('select delivery.purge($1, $2, $3, $4) as given', [
    endpoint.no,
    closedReason(endpoint),
    now,
    PURGED_AT_ONCE,
  ]);
  return row!.given;
}

/** The same for one that was closed when it was last looked at: under its row's lock, since it may have been enabled by now. */
export const purgeClosed = (db: Database, no: number, now: string): Promise<number> =>
  db.tx(async (sql) => {
    const row = await endpointByNumber(sql, no, 'for no key update');
    return !row || isOpen(row) ? 0 : purge(sql, row, now);
  });

/**
 * Nothing that waited before it was disabled may come back with an endpoint, and the rest of a long backlog may wait still when it is
 * enabled again. All but what comes meanwhile goes before the others have to wait for the change.
 */
async function giveUpFirst(
  { db, now }: ChangeNeeds,
  { workspace, endpointId, position }: EndpointChange,
): Promise<void> {
  const row = await endpointRow(db, workspace, endpointId);
  if (row && row.position < position) while ((await purgeClosed(db, row.no, now())) > 0);
}

/**
 * Events after the enabling that were handled before it was known: discarded then, wanted now. But for what happened after it was closed
 * again, and for what it no longer asked for by then: delivery may not have heard of that either.
 */
async function reviveDiscarded(
  sql: Sql,
  no: number,
  change: EndpointChange,
  later: readonly EndpointChange[],
  now: string,
): Promise<void> {
  const { position, at, config } = change;
  const types = contracts.get(config.contract)?.types ?? [];
  const wanted = askedSince(change, later).flatMap(({ eventTypes, ...stretch }) =>
    types.filter((type) => matches(eventTypes, type)).map((type) => ({ ...stretch, type })),
  );
  const revived = `update delivery.delivery d set state = 'queued', reason = null, changed_at = $3
     where d.endpoint = $1 and d.state = 'discarded' and d.reason in ('disabled', 'gone') and d.position > $2 and d.id >= delivery.id_at($4::timestamptz - interval '1 hour')
       and exists (select from unnest($5::bigint[], $6::bigint[], $7::text[]) w(after, up_to, type)
                   where w.type = d.type and d.position > w.after and d.position <= w.up_to)
     returning d.id, d.endpoint, d.sequence, d.key, d.type`;
  await sql.query(
    config.ordered
      ? `with revived as (${revived}), requeued as (
           update delivery.sequence s set requeued = s.requeued + 1 where s.endpoint = $1 and exists (select from revived)
         ) insert into delivery.queue (endpoint, sequence, key, delivery_id) select endpoint, sequence, key, id from revived`
      : `with revived as (${revived}) insert into delivery.retry (delivery_id, endpoint, due_at, sequence, coalesce_key)
         select r.id, r.endpoint, $3, r.sequence, delivery.coalesce_key(e.config, r.type, r.key) from revived r join delivery.endpoint e on e.no = r.endpoint`,
    [
      no,
      position,
      now,
      at,
      wanted.map(({ after }) => after),
      wanted.map(({ upTo }) => upTo),
      wanted.map(({ type }) => type),
    ],
  );
}
