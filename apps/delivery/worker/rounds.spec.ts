import { eventually } from '#testing';
import { Rounds } from './rounds';

describe('rounds', () => {
  const faults: Error[] = [];
  const begun: ((outcome?: Error) => void)[] = [];

  class Counted extends Rounds {
    constructor() {
      super((error) => faults.push(error));
    }

    protected override round(): Promise<void> {
      return new Promise((over, fail) => begun.push((error) => (error ? fail(error) : over())));
    }
  }

  beforeEach(() => [faults, begun].forEach((list) => list.splice(0)));

  it('go one at a time, and one who wakes during a round has another behind it', async () => {
    const rounds = new Counted();
    rounds.start();
    rounds.wake();
    rounds.wake();
    expect(begun).toHaveLength(1);
    begun[0]!();
    await eventually(() => expect(begun).toHaveLength(2), { within: 500 });
    const timers = jest.spyOn(global, 'setTimeout');
    begun[1]!();
    await new Promise(setImmediate);
    // And then it is quiet again until it is time.
    expect(timers.mock.calls.map(([, ms]) => ms)).toEqual([1_000]);
    timers.mockRestore();
    rounds.kill();
  });

  it('tell a fault and go on, until they are stopped and the last is over', async () => {
    const rounds = new Counted();
    rounds.start();
    begun[0]!(new Error('away'));
    await eventually(() => expect(faults).toEqual([new Error('away')]));
    rounds.wake();
    let isOver = false;
    const stopped = rounds.stop().then(() => (isOver = true));
    await new Promise(setImmediate);
    expect(isOver).toBe(false);
    begun[1]!(new Error('after the end'));
    await stopped;
    rounds.wake();
    expect([begun.length, faults.length]).toEqual([2, 1]);
  });
});
