import { setTimeout as sleep } from 'node:timers/promises';
import { Semaphore } from '#kernel';
import type { Database, Sql } from '#postgres';
import { moveCheckpoint, type Checkpoint, type OpenedBuild } from './checkpoint';
import type { Projection } from './projection';
import { whenFree } from './when-free';

/** More keep no processor busier, and each holds a connection for as long as a long table takes. */
const INDEXES_AT_ONCE = 3;
/** Between two tries while somebody keeps the view: in between, readers go on. */
const AGAIN_MS = 1_000;

const CURRENT = "select position from projector.checkpoint where name = $1 and status = 'current'";

/** Whether a build would show readers less than the current one does, which `lock` keeps where it is. */
async function isBehind(sql: Sql, { name, position }: Checkpoint, lock = ''): Promise<boolean> {
  const [current] = await sql.query<{ position: number }>(CURRENT + lock, [name]);
  return current !== undefined && current.position > position;
}

/**
 * Makes a build that has caught up with the current one the current one, in one transaction: readers go from a table to one that
 * is at least as new. False when it is not there yet, or `signal` aborts. The former build keeps its tables until the grace time is over,
 * and so does one that was begun before this for a shape that nobody builds any more.
 */
export async function switchBuild(
  db: Database,
  { name }: Projection,
  { build, checkpoint }: OpenedBuild,
  signal?: AbortSignal,
): Promise<boolean> {
  if (await isBehind(db, checkpoint)) return false;
  // Before the switch, since it takes its time; and after all that is there to index has been written.
  const gate = new Semaphore(INDEXES_AT_ONCE);
  await Promise.all((build.indexes ?? []).map((make) => gate.run(() => db.script(make))));
  while (!signal?.aborted) {
    const isSwitched = await whenFree(db, async (sql) => {
      const tooEarly = await isBehind(sql, checkpoint, ' for update');
      await moveCheckpoint(sql, checkpoint, checkpoint.position);
      if (tooEarly) return false;
      // A leader of a former build finds an epoch that is not its own.
      await sql.query(
        `update projector.checkpoint set status = 'retired', retired_at = now(), epoch = epoch + 1
          where name = $1 and (status = 'current' or status = 'building' and version < $2)`,
        [name, checkpoint.version],
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
