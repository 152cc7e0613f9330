import { Semaphore } from './semaphore';

it('lets so many run at once, the others in the order in which they came, whatever becomes of those before', async () => {
  const semaphore = new Semaphore(2);
  const begun: number[] = [];
  const ends: ((isWell: boolean) => void)[] = [];
  const outcomes = [0, 1, 2, 3].map((nth) =>
    semaphore.run(() => {
      begun.push(nth);
      return new Promise<number>((done, fail) =>
        ends.push((isWell) => (isWell ? done(nth) : fail(new Error(`${nth}`)))),
      );
    }),
  );
  const settled = Promise.allSettled(outcomes);
  const turn = () => new Promise(setImmediate);
  await turn();
  expect(begun).toEqual([0, 1]);
  ends[1]!(false);
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  ends[0]!(true);
  await turn();
  expect(begun).toEqual([0, 1, 2, 3]);
  ends[3]!(true);
  ends[2]!(true);
  expect((await settled).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(await semaphore.run(async () => 'free again')).toBe('free again');
});

it('gives nobody the place that was handed on to who waited', async () => {
  const gate = new Semaphore(1);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => gate.run(() => new Promise<void>((end) => (begun.push(name), ends.push(end))));
  const [first, second] = [work('first'), work('second')];
  ends[0]!();
  await first;
  const third = work('third');
  expect(begun).toEqual(['first', 'second']);
  ends[1]!();
  await second;
  expect(begun).toEqual(['first', 'second', 'third']);
  ends[2]!();
  await third;
});
