import { Batcher, type Waiting } from './batcher';

describe('a batcher', () => {
  const batches: number[][] = [];
  let release: (() => void)[] = [];
  beforeEach(() => {
    batches.length = 0;
    release = [];
  });
  const hold = async (batch: readonly Waiting<number, number>[]) => {
    batches.push(batch.map(({ request }) => request));
    await new Promise<void>((done) => release.push(done));
    for (const { request, resolve } of batch) resolve(request * 10);
  };
  const atMost = (size: number) => () => {
    let taken = 0;
    return () => ++taken <= size;
  };
  const sent = async (count: number) => {
    while (batches.length < count) await new Promise(setImmediate);
  };

  it('sends what is asked for while a batch is under way in the next one, and one batch at a time', async () => {
    const batcher = new Batcher<number, number>(atMost(10), hold);
    const first = [batcher.ask(1), batcher.ask(2)];
    await sent(1);
    const second = [3, 4, 5].map((n) => batcher.ask(n));
    await new Promise(setImmediate);
    expect(batches).toEqual([[1, 2]]);
    release[0]!();
    expect(await Promise.all(first)).toEqual([10, 20]);
    await sent(2);
    release[1]!();
    expect(await Promise.all(second)).toEqual([30, 40, 50]);
    expect(batches).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
  });

  it('leaves in line, in order, what does not fit, but always takes the first', async () => {
    const batcher = new Batcher<number, number>(atMost(2), hold);
    const all = [1, 2, 3, 4, 5].map((n) => batcher.ask(n));
    for (let n = 0; n < 3; n++) {
      await sent(n + 1);
      release[n]!();
    }
    expect(await Promise.all(all)).toEqual([10, 20, 30, 40, 50]);
    expect(batches).toEqual([[1, 2], [3, 4], [5]]);
    const none = new Batcher<number, number>(
      () => () => false,
      async ([one]) => one!.resolve(7),
    );
    expect(await none.ask(1)).toBe(7);
  });

  it('rejects all of a batch that fails, and goes on with the next', async () => {
    let fails = true;
    const batcher = new Batcher<number, number>(atMost(10), async (batch) => {
      if (fails) throw new Error('no');
      for (const { resolve } of batch) resolve(1);
    });
    const outcomes = await Promise.allSettled([batcher.ask(1), batcher.ask(2)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await batcher.ask(3)).toBe(1);
  });
});
