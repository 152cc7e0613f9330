import { OneAtATime } from './one-at-a-time';

/** Work whose runs end when they are told to. */
const held = () => {
  const ends: (() => void)[] = [];
  const one = new OneAtATime(() => new Promise<void>((end) => ends.push(end)));
  return { ends, one };
};
const turn = () => new Promise(setImmediate);

describe('work that is done one at a time', () => {
  it('runs once more for all who asked during a run', async () => {
    const { ends, one } = held();
    const all = Promise.all([one.run(), one.run(), one.run()]);
    await turn();
    expect(ends).toHaveLength(1);
    ends[0]!();
    await turn();
    expect(ends).toHaveLength(2);
    ends[1]!();
    await all;
    expect(ends).toHaveLength(2);
  });

  it('answers each who asked after a run of its own, however many ask after it', async () => {
    const { ends, one } = held();
    const answered: string[] = [];
    const ask = (name: string) => void one.run().then(() => answered.push(name));
    ask('first');
    ask('second');
    ends[0]!();
    await turn();
    ask('third');
    expect(answered).toEqual(['first']);
    ends[1]!();
    await turn();
    expect([answered, ends.length]).toEqual([['first', 'second'], 3]);
    ends[2]!();
    await turn();
    expect(answered).toEqual(['first', 'second', 'third']);
  });

  it('runs anew when it is asked for after a run', async () => {
    const { ends, one } = held();
    const first = one.run();
    ends[0]!();
    await first;
    void one.run();
    expect(ends).toHaveLength(2);
  });

  it('begins no more once it has ended, and waits for the run under way', async () => {
    const { ends, one } = held();
    void one.run();
    void one.run();
    let isOver = false;
    const over = one.end().then(() => (isOver = true));
    await turn();
    expect(isOver).toBe(false);
    ends[0]!();
    await over;
    await one.run();
    expect(ends).toHaveLength(1);
  });

  it('runs again after a run that failed', async () => {
    let runs = 0;
    const one = new OneAtATime(() => (++runs === 1 ? Promise.reject(new Error('no')) : Promise.resolve()));
    await expect(one.run()).rejects.toThrow('no');
    await one.run();
    expect(runs).toBe(2);
  });
});
