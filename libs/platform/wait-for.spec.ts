import { until } from './wait-for';

describe('waiting for an engine', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('says so also while nobody answers, and why as soon as somebody knows', async () => {
    const said: string[] = [];
    const attempts: { resolve: (there: string) => void; reject: (error: Error) => void }[] = [];
    const attempt = () => new Promise<string>((resolve, reject) => attempts.push({ resolve, reject }));
    const waiting = until('the bus', attempt, (sentence) => said.push(sentence));
    await jest.advanceTimersByTimeAsync(4_999);
    expect(said).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(said).toEqual(['Waiting for the bus: no answer yet']);
    attempts[0]!.reject(new Error('connect ECONNREFUSED'));
    await jest.advanceTimersByTimeAsync(5_500);
    expect(said.slice(1)).toEqual(Array.from({ length: 2 }, () => 'Waiting for the bus: connect ECONNREFUSED'));
    attempts[1]!.resolve('there');
    expect(await waiting).toBe('there');
    await jest.advanceTimersByTimeAsync(60_000);
    expect(said).toHaveLength(3);
  });
});
