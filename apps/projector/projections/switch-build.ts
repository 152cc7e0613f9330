import { setTimeout as sleep } from 'node:timers/promises';
import { Semaphore } from '#kernel';
import type { Database } from '#postgres';
import { moveCheckpoint, type OpenedBuild } from './checkpoint';
import type { Projection } from './projection';
import { whenFree } from './when-free';

/** More keep no processor busier, and each holds a connection for as long as a long table takes. */
const INDEXES_AT_ONCE = 3;
/** Between two tries while somebody keeps the view: in between, readers go on. */
const AGAIN_MS = 1_000;

/**
 * Makes a build that has caught up with the current one the current one, in one transaction: readers go from a table to one that
 * is at least as new. False when it is not there yet, or `signal` aborts. The former build keeps its tables until the grace time is over.
 */
export async function switchBuild(
  db: Database,
  { name }: Projection,
  { build, checkpoint }: OpenedBuild,
  signal?: AbortSignal,
): Promise<boolean> {
  // Before the switch, since it takes its time.
  const gate = new Semaphore(INDEXES_AT_ONCE);
  await Promise.all((build.indexes ?? []).map((make) => gate.run(() => db.script(make))));
  while (!signal?.aborted) {
    const isSwitched = await whenFree(db, async (sql) => {
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
    if (isSwitched !== undefined) return isSwitched;
    await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}
