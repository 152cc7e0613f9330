import { systemClock } from '#kernel';
import type { Database } from '#postgres';
import { Failing } from './failing';

const SUCCEEDED = 'set failing_since = null';

describe('since when an endpoint fails', () => {
  let isAway: boolean;
  let faults: number;
  let said: string[];
  let failing: Failing;
  beforeEach(async () => {
    jest.useFakeTimers();
    [isAway, faults, said] = [false, 0, []];
    const db = {
      query: (text: string) => {
        if (isAway) return Promise.reject(new Error('Connection terminated unexpectedly'));
        if (!text.includes('delivery.awake')) said.push(text);
        return Promise.resolve([]);
      },
      tx: () => Promise.resolve(0),
    } as Pick<Database, 'query' | 'tx'> as Database;
    failing = new Failing({ db, clock: systemClock, onFact: () => undefined, onFault: () => void faults++ });
    await failing.start();
  });
  afterEach(() => {
    failing.kill();
    jest.useRealTimers();
  });

  const answered = (ok: boolean) =>
    failing.note({
      task: { endpoint: 7 },
      exchange: { ok },
    } as Parameters<Failing['note']>[0]);

  it('is not told by failures alone when a success among them could not be told at once', async () => {
    isAway = true;
    answered(true);
    answered(false);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(faults).toBe(1);
    isAway = false;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(said).toEqual([expect.stringContaining(SUCCEEDED)]);
  });

  it('is told before the end', async () => {
    answered(true);
    await failing.stop();
    expect(said).toEqual([expect.stringContaining(SUCCEEDED)]);
  });
});
