import { byWorkspace, concerns, findStart, give, restAsLong, switchToLive, type CatchUpNeeds } from './catch-up';
import { catchingUp, endpointByNumber } from './endpoint-directory';

const PAGE = 1_000;
/** So many endpoints become live at once: the intakes wait meanwhile. */
const SWITCHED_TOGETHER = 50;

export interface WalkNeeds extends CatchUpNeeds {
  readonly isStopped: () => boolean;
  /** What keeps one endpoint from going on keeps back no other. */
  readonly onFault: (error: Error) => void;
}

/**
 * Makes many endpoints live with few walks over the log, for stores that must read everything to find the events of one
 * workspace: a walk for each would read the log as often as there are endpoints.
 */
export async function catchUpTogether(needs: WalkNeeds, nos: readonly number[]): Promise<void> {
  for (let left = nos; left.length > 0 && !needs.isStopped();) {
    left = await walk(needs, left);
    // The intakes would wait for all that it has not come to.
    if (needs.isStopped()) return;
    const next = left.slice(0, SWITCHED_TOGETHER);
    await restingAsLong(async () => {
      if (await unharmed(needs, () => needs.exclusively(() => switchToLive(needs, next)))) return;
      for (const no of next)
        if (!(await unharmed(needs, () => needs.exclusively(() => switchToLive(needs, [no])))))
          left = left.filter((other) => other !== no);
    });
  }
}

/** Brings endpoints up to the head; returns those that came through and still catch up. */
async function walk(needs: WalkNeeds, nos: readonly number[]): Promise<readonly number[]> {
  const { db, store } = needs;
  const started = new Set<number>();
  for (const row of await catchingUp(db, nos))
    if (await unharmed(needs, async () => void (await findStart(needs, row)))) started.add(row.no);
  const rows = [...(await catchingUp(db, [...started]))];
  let at = Math.min(...rows.map(({ cursor }) => cursor));
  for (let more = started.size > 0; more && !needs.isStopped();)
    await restingAsLong(async () => {
      const { events, position, isFull } = await store.readAll({ after: at, limit: PAGE });
      const own = byWorkspace(events);
      for (const [index, row] of rows.entries()) {
        const { no, workspace, cursor } = row;
        const ahead = own.get(workspace)?.filter((event) => event.position > cursor);
        if (!ahead || !started.has(no)) continue;
        const isUnharmed = await unharmed(needs, async () => {
          // Most pages hold nothing for most endpoints: that costs no look at the database.
          if (!concerns(needs, row, ahead)) return;
          await give(needs, no, ahead);
          rows[index] = (await endpointByNumber(db, no))!;
        });
        if (!isUnharmed) started.delete(no);
      }
      at = position;
      more = isFull;
    });
  const through = rows.map(({ no }) => no).filter((no) => started.has(no));
  // What was passed without an event of theirs is behind them too.
  if (through.length > 0)
    await db.query(
      "update delivery.endpoint set cursor = $2 where no = any($1) and phase = 'catching_up' and cursor < $2",
      [through, at],
    );
  return (await catchingUp(db, through)).map(({ no }) => no);
}

async function restingAsLong(work: () => Promise<void>): Promise<void> {
  const began = performance.now();
  await work();
  await restAsLong(began);
}

async function unharmed({ onFault }: WalkNeeds, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    onFault(error as Error);
    return false;
  }
}
