import type { Position } from '#event-store';
import { writeFenced, type Database, type Sql, type Write } from '#postgres';
import type { Projection, ProjectionBuild } from './projection';

/** Another process leads, or the database has lost what this one thought committed: look again before writing. */
export class FencedError extends Error {
  constructor(name: string) {
    super(`Projection ${name} is led by another process, or its checkpoint went back`);
    this.name = 'FencedError';
  }
}

/** One build of a projection under one reign. */
export interface Checkpoint {
  readonly name: string;
  readonly version: number;
  readonly epoch: number;
  /** Taken, in memory. */
  position: Position;
  /** Committed, as far as this process was told. */
  known: Position;
}

// The commit does not wait for the disk: after a crash rows and checkpoint are as old, and the work is done again.
const FENCE = `update projector.checkpoint set position = $5
  where name = $1 and version = $2 and epoch = $3 and position >= $4
  returning set_config('synchronous_commit', 'off', true)`;

// The first statement of a transaction: holds the row until the commit, so that two leaders never write at once. The server
// ends the transaction of a process that froze in the middle of one.
const MOVE = `update projector.checkpoint set position = $5
  where name = $1 and version = $2 and epoch = $3 and position >= $4
  returning set_config('idle_in_transaction_session_timeout', '2000', true)`;

/** Writes the rows of a stretch and moves the checkpoint, in one statement. Throws FencedError, with nothing written, when it is no longer ours to move. */
export async function writeStretch(
  sql: Sql,
  at: Checkpoint,
  position: Position,
  writes: readonly Write[],
): Promise<readonly string[]> {
  const fence = { text: FENCE, params: [at.name, at.version, at.epoch, at.known, position] };
  const answers = await writeFenced(sql, fence, writes);
  if (!answers) throw new FencedError(at.name);
  return answers;
}

/** Moves the checkpoint inside a transaction. Throws FencedError when it is no longer ours to move. */
export async function moveCheckpoint(sql: Sql, at: Checkpoint, position: Position): Promise<void> {
  const moved = await sql.query(MOVE, [at.name, at.version, at.epoch, at.known, position]);
  if (moved.length === 0) throw new FencedError(at.name);
}

export interface OpenedBuild {
  readonly build: ProjectionBuild;
  readonly checkpoint: Checkpoint;
  readonly status: 'building' | 'current';
}

interface BuildRow {
  version: number;
  shape: string;
  status: 'building' | 'current' | 'retired';
  position: number;
}

/**
 * The build that this code writes: the current one when it has the code's shape, else one beside it, begun or resumed.
 * The first build of all is current from the start.
 */
export function openBuild(db: Database, projection: Projection, epoch: number): Promise<OpenedBuild> {
  return db.tx(async (sql) => {
    const rows = await sql.query<BuildRow>(
      'select version, shape, status, position from projector.checkpoint where name = $1 order by version desc for update',
      [projection.name],
    );
    const current = rows.find(({ status }) => status === 'current');
    if (current?.shape === projection.shape) return open(sql, projection, current, epoch);
    const version = (rows[0]?.version ?? 0) + 1;
    const status = current ? 'building' : 'current';
    return (await openBuilding(sql, projection, epoch)) ?? addBuild(sql, projection, { version, epoch, status });
  });
}

/** The build beside the current one that was begun for this shape and not finished, if there is one; who had it before is fenced off. */
export async function openBuilding(sql: Sql, projection: Projection, epoch: number): Promise<OpenedBuild | undefined> {
  const [row] = await sql.query<BuildRow>(
    "select version, shape, status, position from projector.checkpoint where name = $1 and status = 'building' and shape = $2 for update",
    [projection.name, projection.shape],
  );
  return row && open(sql, projection, row, epoch);
}

async function open(sql: Sql, projection: Projection, row: BuildRow, epoch: number): Promise<OpenedBuild> {
  const build = projection.build(row.version);
  await build.prepare(sql);
  if (row.status === 'current') await index(sql, build);
  await sql.query('update projector.checkpoint set epoch = $3 where name = $1 and version = $2 and epoch < $3', [
    projection.name,
    row.version,
    epoch,
  ]);
  return opened(projection.name, build, { ...row, epoch });
}

async function index(sql: Sql, { indexes = [] }: ProjectionBuild): Promise<void> {
  for (const make of indexes) await sql.script(make);
}

/** Begins a build: its row at position 0 and its empty tables. One that is current is what readers see from now on. */
export async function addBuild(
  sql: Sql,
  { name, shape, build: builder }: Projection,
  { version, epoch, status }: { version: number; epoch: number; status: 'building' | 'current' },
): Promise<OpenedBuild> {
  const build = builder(version);
  await sql.query(
    'insert into projector.checkpoint (name, version, shape, status, epoch) values ($1, $2, $3, $4, $5)',
    [name, version, shape, status, epoch],
  );
  await build.prepare(sql);
  if (status === 'current') {
    await index(sql, build);
    await build.publish?.(sql);
  }
  return opened(name, build, { version, epoch, status, position: 0 });
}

const opened = (
  name: string,
  build: ProjectionBuild,
  { version, epoch, position, status }: { version: number; epoch: number; position: number; status: string },
): OpenedBuild => ({
  build,
  status: status === 'current' ? 'current' : 'building',
  checkpoint: { name, version, epoch, position, known: position },
});
