import { Turns } from './turns';

it('lets so much of each key run at once, whatever waits of another, and remembers nobody', async () => {
  const turns = new Turns(1);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const run = (key: string, name: string) =>
    turns.run(key, () => {
      begun.push(name);
      return new Promise<void>((done) => ends.push(done));
    });
  const all = [run('a', 'a1'), run('a', 'a2'), run('b', 'b1')];
  const turn = () => new Promise(setImmediate);
  await turn();
  expect(begun).toEqual(['a1', 'b1']);
  ends[0]!();
  await turn();
  expect(begun).toEqual(['a1', 'b1', 'a2']);
  ends.forEach((end) => end());
  await Promise.all(all);
  await expect(turns.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(turns['lines'].size).toBe(0);
});
