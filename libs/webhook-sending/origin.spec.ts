import type { Lane } from './lane';
import { Origin } from './origin';

/** A lane that is stale from some moment on, and may be destroyed. */
class FakeLane {
  isDestroyed = false;
  staleFrom = Infinity;

  isStale(now: number): boolean {
    return now > this.staleFrom;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
}

describe('the lanes of an origin', () => {
  let made: FakeLane[];
  let origin: Origin;
  let lent: Lane[];
  const take = () => origin.take((lane) => lent.push(lane) > 0);
  const giveBack = (at: number, spent = false, now = 0) => origin.release(lent[at]!, spent, now);
  beforeEach(() => {
    [made, lent] = [[], []];
    const target = { secure: false, host: '127.0.0.1', port: 80 };
    origin = new Origin('http://127.0.0.1', target, { sandbox: true, lookup: async () => [] }, 2);
    origin.newLane = () => {
      const lane = new FakeLane();
      made.push(lane);
      return lane as unknown as Lane;
    };
  });

  it('are lent again, the one used last before the others, so that what is too many grows idle', () => {
    take();
    take();
    giveBack(0);
    giveBack(1, false, 42);
    take();
    expect(lent[2]).toBe(lent[1]);
    expect([made.length, origin.busy, origin.lastUsed]).toEqual([2, 1, 42]);
  });

  it('are closed when they have been idle for as long as they may, and not lent again', () => {
    take();
    take();
    giveBack(0);
    giveBack(1);
    made[1]!.staleFrom = 10;
    origin.sweep(10);
    expect(made.map(({ isDestroyed }) => isDestroyed)).toEqual([false, false]);
    origin.sweep(11);
    expect(made.map(({ isDestroyed }) => isDestroyed)).toEqual([false, true]);
    take();
    take();
    expect([lent[2], lent[3]]).toEqual([lent[0], made[2]]);
  });

  it('make room for who waits, with a new one in the place of one that is spent', () => {
    for (let n = 0; n < 4; n++) take();
    expect([lent.length, origin.queued]).toEqual([2, 2]);
    giveBack(0, true);
    expect([lent[2], made[0]!.isDestroyed, origin.queued]).toEqual([made[2], true, 1]);
    giveBack(1);
    expect([lent[3], origin.queued, origin.isIdle]).toEqual([lent[1], 0, false]);
  });
});
