import { systemClock } from '#kernel';
import type { Database } from '#postgres';
import { eventually } from '#testing';
import { Jobs } from './jobs';

describe('bulk replays', () => {
  let jobs: Jobs;
  afterEach(() => jobs.stop());

  /** Jobs with so many pages, in the order in which they were asked for; says of which a page was replayed, one after the other. */
  const working = (pages: Map<string, number>, page: (id: string) => void = () => undefined) => {
    const replayed: string[] = [];
    const held = new Set<string>();
    const faults: string[] = [];
    jobs = new Jobs({
      db: {
        query: async () => [...pages].filter(([, left]) => left > 0).map(([id]) => ({ workspace: 'ws_1', id })),
      } as unknown as Database,
      clock: systemClock,
      hold: async (name) => !!held.add(name),
      letGo: async (name) => void held.delete(name),
      onReplayed: () => undefined,
      onFault: (error) => void faults.push(error.message),
    });
    jest
      .spyOn(jobs as unknown as { page(workspace: string, id: string): Promise<boolean> }, 'page')
      .mockImplementation(async (_, id) => {
        page(id);
        replayed.push(id);
        pages.set(id, pages.get(id)! - 1);
        return pages.get(id)! > 0;
      });
    jobs.start();
    return { replayed, held, faults };
  };

  it('take turns, page by page: a short one does not wait for the end of a long one', async () => {
    const { replayed, held } = working(
      new Map([
        ['long', 4],
        ['short', 1],
        ['middle', 2],
      ]),
    );
    await eventually(() => expect(replayed).toHaveLength(7));
    expect(replayed).toEqual(['long', 'short', 'middle', 'long', 'middle', 'long', 'long']);
    await eventually(() => expect([...held]).toEqual([]));
  });

  it('go on beside one that cannot', async () => {
    const { replayed, faults } = working(
      new Map([
        ['broken', 1],
        ['whole', 2],
      ]),
      (id) => {
        if (id === 'broken') throw new Error('it cannot go on');
      },
    );
    await eventually(() => expect(replayed).toEqual(['whole', 'whole']));
    expect(faults).toContain('it cannot go on');
  });
});
