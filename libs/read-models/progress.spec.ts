import type { Sql } from '#postgres';
import { ViewProgress } from './progress';

/** Rows and announcements by hand; counts the queries. */
function stage() {
  let hear: (payload: string) => void = () => undefined;
  const revisions = new Map<string, number>();
  const checkpoints = new Map<string, number>();
  const queries: string[] = [];
  const sql: Sql = {
    script: async () => undefined,
    async query<Row>(text: string, params: readonly unknown[] = []) {
      queries.push(text);
      if (text.includes('projector.checkpoint'))
        return [...checkpoints].map(([name, position]) => ({ name, position })) as Row[];
      const [, ids, wanted] = params as [string[], string[], number[]];
      return ids.flatMap((id, n) => ((revisions.get(id) ?? -1) >= wanted[n]! ? [{ n: n + 1 }] : [])) as Row[];
    },
  };
  const progress = new ViewProgress(sql, { on: (_, listener) => ((hear = listener), () => undefined) });
  return { progress, revisions, checkpoints, queries, announce: (payload: string) => hear(payload) };
}

describe('the progress of views', () => {
  it('tells at once of what has been passed, and later of what has not', async () => {
    const { progress, announce } = stage();
    announce('posts:10');
    expect(await progress.reached('posts', 10, 1_000)).toBe(true);
    const later = progress.reached('posts', 12, 10_000);
    announce('accounts:50');
    announce('posts:11');
    announce('posts:12');
    expect(await later).toBe(true);
    expect(await progress.reached('posts', 13, 1)).toBe(false);
    progress.close();
  });

  it('takes a view to be as far as what it has shown', async () => {
    const { progress, announce } = stage();
    const waiting = progress.reached('posts', 8, 10_000);
    progress.passed('posts', 9);
    expect(await waiting).toBe(true);
    announce('posts:7');
    expect(progress.position('posts')).toBe(9);
    progress.close();
  });

  it('finds out for itself when an announcement was missed', async () => {
    const { progress, checkpoints, announce } = stage();
    checkpoints.set('posts', 7);
    const waiting = progress.reached('posts', 7, 10_000);
    announce('');
    expect(await waiting).toBe(true);
    progress.close();
  });

  it('believes nothing of what it knew before the server may have crashed', async () => {
    const { progress, checkpoints, announce } = stage();
    announce('posts:10');
    checkpoints.set('posts', 7);
    announce('');
    expect(progress.position('posts')).toBe(0);
    expect(await progress.reached('posts', 7, 10_000)).toBe(true);
    expect(progress.position('posts')).toBe(7);
    progress.close();
  });

  it('waits for five hundred revisions with a few queries', async () => {
    const { progress, revisions, queries, announce } = stage();
    const waiting = Array.from({ length: 500 }, (_, n) =>
      progress.revisionSeen('posts', 'ws_1', `pst_${n}`, 3, 10_000),
    );
    announce('posts:1');
    for (let n = 0; n < 500; n++) revisions.set(`pst_${n}`, 3);
    announce('posts:2');
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([true]));
    expect(queries.length).toBeLessThan(10);
    progress.close();
  });

  it('gives up a revision that does not come, and asks for it no more', async () => {
    const { progress, announce, queries } = stage();
    const waiting = progress.revisionSeen('posts', 'ws_1', 'pst_1', 1, 20);
    announce('posts:1');
    expect(await waiting).toBe(false);
    const asked = queries.length;
    announce('posts:2');
    expect(queries).toHaveLength(asked);
    progress.close();
  });

  it('looks around while somebody waits, and no longer', async () => {
    const { progress } = stage();
    const [begun, ended] = [jest.spyOn(global, 'setInterval'), jest.spyOn(global, 'clearInterval')];
    for (const times of [1, 2]) {
      const both = [progress.reached('posts', 1, 10), progress.reached('posts', 1, 20)];
      expect(begun).toHaveBeenCalledTimes(times);
      expect(await both[0]).toBe(false);
      expect(ended).toHaveBeenCalledTimes(times - 1);
      expect(await both[1]).toBe(false);
      expect(ended).toHaveBeenLastCalledWith(begun.mock.results.at(-1)!.value);
    }
    begun.mockRestore();
    ended.mockRestore();
    progress.close();
  });

  it('lets nobody wait once it is closed', async () => {
    const { progress, announce } = stage();
    announce('posts:3');
    const before = progress.reached('posts', 4, 60_000);
    progress.close();
    expect(await before).toBe(false);
    expect(await progress.reached('posts', 4, 60_000)).toBe(false);
    expect(await progress.reached('posts', 3, 60_000)).toBe(true);
    expect(await progress.revisionSeen('posts', 'ws_1', 'pst_1', 1, 60_000)).toBe(false);
  });
});
