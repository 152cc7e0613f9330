import { lookAgain } from './look-again';

describe('looking again', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** When it looked, in ms, and what came of it. */
  const looks = async (withinMs: number, foundAfterMs: number) => {
    const at: number[] = [];
    const began = performance.now();
    const looking = lookAgain(async () => {
      at.push(performance.now() - began);
      return at.at(-1)! >= foundAfterMs ? 'found' : undefined;
    }, withinMs);
    await jest.advanceTimersByTimeAsync(withinMs);
    return { at, found: await looking };
  };

  it('is soon at first, so that what comes soon is found soon', async () => {
    const { at, found } = await looks(5_000, 40);
    expect(found).toBe('found');
    expect(at.at(-1)).toBeLessThan(60);
  });

  it('is ever less often for those who wait long, and once more at the end', async () => {
    const { at, found } = await looks(30_000, 30_000);
    expect(found).toBe('found');
    expect(at.at(-1)).toBe(30_000);
    expect(at.length).toBeLessThan(45);
  });

  it('ends with nothing when nothing came, and has looked once though there was no time', async () => {
    expect(await looks(0, 1)).toEqual({ at: [0], found: undefined });
    expect((await looks(1_000, Infinity)).found).toBeUndefined();
  });
});
