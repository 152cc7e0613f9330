import { systemClock } from '#kernel';
import type { Database } from '#postgres';
import { eventually } from '#testing';
import { Leases } from './leases';

describe('a lease that this worker does not know', () => {
  it.each([
    [3, [3]],
    // It was recorded between the look and the giving back.
    [0, []],
  ])('is told of when %i deliveries of it wait again', async (given, expected) => {
    const told: number[] = [];
    let asked = 0;
    const leases = new Leases({
      db: {
        query: (text: string) => {
          asked++;
          return Promise.resolve(text.includes('release_leases') ? [{ given }] : [{ batch: 'b' }]);
        },
      } as unknown as Database,
      clock: systemClock,
      worker: () => 'w',
      onGivenBack: (deliveries) => told.push(deliveries),
      onFault: (error) => {
        throw error;
      },
    });
    leases.start();
    await eventually(() => asked === 2);
    // Past what follows the answer.
    await new Promise(setImmediate);
    leases.stop();
    expect(told).toEqual(expected);
  });
});
