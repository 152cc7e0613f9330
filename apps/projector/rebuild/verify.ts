import type { EventStore } from '#event-store';
import { OPEN, writeFenced, type Database } from '#postgres';
import type { Difference } from '#read-models';
import type { Projection } from '../projections/projection';

const BATCH = 1_000;

export interface VerifyResult {
  /** The log was compared up to here. */
  readonly position: number;
  readonly difference: Difference | undefined;
}

/**
 * Recomputes a view from the log into a table of its own and compares row by row. All in one transaction that sees the view as it
 * was at one moment: the view goes on meanwhile, and nothing is left behind, whenever this is killed.
 */
export function verifyProjection(
  { db, store }: { db: Database; store: EventStore },
  projection: Projection,
  onProgress?: (position: number, of: number) => void,
): Promise<VerifyResult> {
  const scratch = projection.scratch?.();
  if (!scratch) throw new Error(`${projection.name} has no table to compare.`);
  return db.tx(async (sql) => {
    await sql.script('set transaction isolation level repeatable read');
    const [current] = await sql.query<{ version: number; position: number }>(
      "select version, position from projector.checkpoint where name = $1 and status = 'current'",
      [projection.name],
    );
    if (!current) throw new Error(`There is no projection ${projection.name} yet.`);
    await scratch.prepare(sql);
    for (let after = 0; after < current.position;) {
      const { events, position, isFull } = await store.readAll({ after, limit: BATCH, upTo: current.position });
      const wanted = events.filter((event) => projection.wants(event));
      if (wanted.length > 0)
        await writeFenced(sql, OPEN, (await scratch.changes(sql, { events: wanted, position })).writes);
      after = isFull ? position : current.position;
      onProgress?.(after, current.position);
    }
    const difference = await scratch.firstDifference(sql, current.version);
    await scratch.drop(sql);
    return { position: current.position, difference };
  });
}
