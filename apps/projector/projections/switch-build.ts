import { Semaphore } from '#kernel';
import type { Database } from '#postgres';
import { moveCheckpoint, type OpenedBuild } from './checkpoint';
import type { Projection } from './projection';

/** More keep no processor busier, and each holds a connection for as long as a long table takes. */
const INDEXES_AT_ONCE = 3;

/**
 * Makes a build that has caught up with the current one the current one, in one transaction: readers go from a table to one that
 * is at least as new. False when it is not there yet. The former build keeps its tables until the grace time is over.
 */
export async function switchBuild(
  db: Database,
  { name }: Projection,
  { build, checkpoint }: OpenedBuild,
): Promise<boolean> {
  // Before the switch, since it takes its time.
  const gate = new Semaphore(INDEXES_AT_ONCE);
  await Promise.all((build.indexes ?? []).map((make) => gate.run(() => db.script(make))));
  return db.tx(async (sql) => {
    const [current] = await sql.query<{ position: number }>(
      "select position from projector.checkpoint where name = $1 and status = 'current' for update",
      [name],
    );
    await moveCheckpoint(sql, checkpoint, checkpoint.position);
    if (current && current.position > checkpoint.position) return false;
    // A leader of the former build finds an epoch that is not its own.
    await sql.query(
      "update projector.checkpoint set status = 'retired', retired_at = now(), epoch = epoch + 1 where name = $1 and status = 'current'",
      [name],
    );
    await sql.query("update projector.checkpoint set status = 'current' where name = $1 and version = $2", [
      name,
      checkpoint.version,
    ]);
    await build.publish?.(sql);
    return true;
  });
}
