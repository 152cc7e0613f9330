import type { EventStore, LogBatch, Position } from '#event-store';
import { MINUTE } from '#kernel';
import type { Database, Write } from '#postgres';
import { addBuild, openBuilding, writeStretch, type OpenedBuild } from '../projections/checkpoint';
import type { Projection } from '../projections/projection';
import { switchBuild } from '../projections/switch-build';
import { whenFree } from '../projections/when-free';

/** Large: nobody waits for the rows, and what several events do to one is written once. */
const BATCH = 5_000;
/** Where no event is written together with another there is nothing to gain, and much garbage to outlive. */
const APPENDED_BATCH = 1_000;

/** Tables of a former build stay so long after a switch, for those who still read them. */
export const GRACE_MS = MINUTE;

export interface RebuildProgress {
  readonly position: number;
  readonly head: number;
  /** Of the log, of whatever kind. */
  readonly eventsPerSecond: number;
  readonly secondsLeft: number;
}

export interface RebuildOptions {
  /** The version that is built, and where its building goes on: 0 for one that has just begun. */
  readonly onBegin?: (begun: { readonly version: number; readonly position: number }) => void;
  readonly onProgress?: (progress: RebuildProgress) => void;
  /** Stops between two batches; the next rebuild goes on from there. */
  readonly signal?: AbortSignal;
}

/**
 * Builds a view anew beside the present one, from the first event, and switches to it in one transaction once it has caught up.
 * Readers keep the old table until then, and get one that is at least as new. After a kill it goes on where it was.
 * Resolves with the version that is current now, or undefined when it was stopped.
 */
export async function rebuild(
  { db, store }: { db: Database; store: EventStore },
  projection: Projection,
  { onBegin, onProgress, signal }: RebuildOptions = {},
): Promise<number | undefined> {
  if (!projection.scratch) throw new Error(`${projection.name} acts on the world; it is never done again.`);
  const opened = await begin(db, projection);
  const { checkpoint } = opened;
  onBegin?.(checkpoint);
  const started = { at: performance.now(), position: checkpoint.position };
  const batchSize = opened.build.isAppended ? APPENDED_BATCH : BATCH;
  const read = (after: Position) => awaitedLater(store.readAll({ after, limit: batchSize }));
  let next = read(checkpoint.position);
  let writing = Promise.resolve();
  while (!signal?.aborted) {
    const batch = await next;
    next = read(batch.position);
    if (!opened.build.isAppended) await writing;
    const writes = await writesOf(db, projection, opened, batch);
    await writing;
    writing = awaitedLater(write(db, opened, batch.position, writes));
    if (onProgress) onProgress(await progressOf(store, checkpoint.position, started));
    if (batch.isFull) continue;
    await writing;
    if (await switchBuild(db, projection, opened, signal)) return checkpoint.version;
  }
  await next.catch(() => undefined);
  await writing;
  return undefined;
}

/** Until it is awaited, its failure is nobody's. */
function awaitedLater<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

/** The build that was begun before, else a new one. */
function begin(db: Database, projection: Projection): Promise<OpenedBuild> {
  return db.tx(async (sql) => {
    const [newest] = await sql.query<{ version: number; epoch: number }>(
      'select max(version) as version, max(epoch) as epoch from projector.checkpoint where name = $1',
      [projection.name],
    );
    const version = (newest?.version ?? 0) + 1;
    const epoch = (newest?.epoch ?? 0) + 1;
    return (
      (await openBuilding(sql, projection, epoch)) ?? addBuild(sql, projection, { version, epoch, status: 'building' })
    );
  });
}

async function writesOf(
  db: Database,
  projection: Projection,
  { build }: OpenedBuild,
  { events, position }: LogBatch,
): Promise<readonly Write[]> {
  const wanted = events.filter((event) => projection.wants(event));
  return wanted.length > 0 ? (await build.changes(db, { events: wanted, position })).writes : [];
}

async function write(
  db: Database,
  { checkpoint }: OpenedBuild,
  position: Position,
  writes: readonly Write[],
): Promise<void> {
  await writeStretch(db, checkpoint, position, writes);
  checkpoint.position = checkpoint.known = position;
}

async function progressOf(
  store: EventStore,
  position: number,
  started: { at: number; position: number },
): Promise<RebuildProgress> {
  const head = await store.head();
  const seconds = Math.max(0.001, (performance.now() - started.at) / 1_000);
  const eventsPerSecond = (position - started.position) / seconds;
  return { position, head, eventsPerSecond, secondsLeft: (head - position) / Math.max(1, eventsPerSecond) };
}

/**
 * Throws the tables of former builds away, once whoever still reads them has had `graceMs` to finish. Returns their versions: none while
 * somebody is at one of them all the same, such as a backup.
 */
export async function dropRetired(db: Database, projection: Projection, graceMs: number): Promise<number[]> {
  const dropped = await whenFree(db, async (sql) => {
    const rows = await sql.query<{ version: number }>(
      `delete from projector.checkpoint where name = $1 and status = 'retired' and retired_at < now() - $2 * interval '1 millisecond' returning version`,
      [projection.name, graceMs],
    );
    for (const { version } of rows) await projection.build(version).drop?.(sql);
    return rows.map(({ version }) => version);
  });
  return dropped ?? [];
}
