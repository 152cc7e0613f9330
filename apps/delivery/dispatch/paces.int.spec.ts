import { testDatabase, type TestDatabase } from '#testing';

describe('the turns that all processes share', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  /** Milliseconds until the first of ten turns; none when it is over. */
  const ask = async (perSecond: number): Promise<number> => {
    const [row] = await test.db.query<{ waits: [number] }>('select delivery.take_turns($1, $2, $3) as waits', [
      [1],
      [perSecond],
      [10],
    ]);
    return Math.max(0, row!.waits[0]);
  };

  it('begin anew with another rate', async () => {
    expect(await ask(0.01)).toBe(0);
    expect(await ask(0.01)).toBeGreaterThan(900_000);
    expect(await ask(100)).toBe(0);
  });

  it('are soon there, however far ahead a clock has given them out that was set back since', async () => {
    await test.db.query("update delivery.pace set free_at = now() + interval '1 day'");
    const wait = await ask(100);
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(6_400);
  });
});
