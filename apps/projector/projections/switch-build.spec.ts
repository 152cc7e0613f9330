import type { Database } from '#postgres';
import type { OpenedBuild } from './checkpoint';
import type { Projection } from './projection';
import { switchBuild } from './switch-build';

describe('a build that takes over', () => {
  it('has its indexes made a few at a time, before the switch: connections are left for others', async () => {
    const indexes = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const made: string[] = [];
    let [running, most] = [0, 0];
    const db = {
      async script(make: string) {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
        made.push(make);
      },
      query: () => Promise.resolve([]),
      tx: () => Promise.resolve(made.length === indexes.length),
    };
    const opened = { build: { indexes }, checkpoint: {}, status: 'building' };
    const isSwitched = await switchBuild(
      db as unknown as Database,
      { name: 'any' } as Projection,
      opened as unknown as OpenedBuild,
    );
    expect({ isSwitched, made, most }).toEqual({ isSwitched: true, made: indexes, most: 3 });
  });

  it('tries again once whoever kept the view may have let go of it, though nothing else happens', async () => {
    const kept = Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' });
    const answers = [() => Promise.reject(kept), () => Promise.resolve(true)];
    const db = { query: () => Promise.resolve([]), tx: () => answers.shift()!() };
    const opened = { build: {}, checkpoint: {}, status: 'building' };
    const projection = { name: 'any' } as Projection;
    expect(await switchBuild(db as unknown as Database, projection, opened as unknown as OpenedBuild)).toBe(true);
  });
});
