import { testDatabase, type TestDatabase } from '#testing';
import { OPEN, writeFenced, type Write } from './fenced-write';

describe('a fenced write', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await testDatabase();
    await test.db.script('create table public.thing (name text, n int); create table public.place (n int)');
  });
  beforeEach(() => test.db.script('truncate public.thing; truncate public.place; insert into public.place values (1)'));
  afterAll(() => test.drop());

  const add = (name: string, n: number): Write => ({
    text: 'insert into public.thing select $1, $2::int from fence',
    params: [name, n],
  });
  const double = (n: number): Write => ({
    text: 'select $1::int * 2 as answer from fence',
    params: [n],
    answers: true,
  });
  const moveFrom = (n: number): Write => ({
    text: 'update public.place set n = n + $2 where n = $1 returning n',
    params: [n, 1],
  });
  const things = () => test.db.query('select name, n from public.thing order by n');

  it('writes all of it, each with its own parameters, and gives the answers', async () => {
    expect(await writeFenced(test.db, moveFrom(1), [add('a', 10), double(21), add('b', 11), double(4)])).toEqual([
      '42',
      '8',
    ]);
    expect(await things()).toEqual([
      { name: 'a', n: 10 },
      { name: 'b', n: 11 },
    ]);
    expect(await test.db.query('select n from public.place')).toEqual([{ n: 2 }]);
  });

  it('takes writes of many parameters', async () => {
    const numbers = Array.from({ length: 12 }, (_, nth) => nth + 1);
    const many = (from: number): Write => ({
      text: `insert into public.thing select 'x', v.n from fence, (values ${numbers.map((n) => `($${n}::int)`).join(', ')}) v (n)`,
      params: numbers.map((n) => from + n),
    });
    await writeFenced(test.db, moveFrom(1), [many(0), many(12)]);
    expect((await things()).map(({ n }) => n)).toEqual(Array.from({ length: 24 }, (_, nth) => nth + 1));
  });

  it('writes nothing behind a closed fence', async () => {
    expect(await writeFenced(test.db, moveFrom(7), [add('a', 10), double(21)])).toBeUndefined();
    expect(await things()).toEqual([]);
  });

  it('writes nothing when one of the writes is refused', async () => {
    const refused: Write = {
      text: 'insert into public.thing select name, 1 / n from fence, (values ($1, 0)) v (name, n)',
      params: ['c'],
    };
    await expect(writeFenced(test.db, OPEN, [add('a', 10), refused])).rejects.toThrow('division by zero');
    expect(await things()).toEqual([]);
  });

  it('may have nothing to write but the move itself', async () => {
    expect(await writeFenced(test.db, moveFrom(1), [])).toEqual([]);
    expect(await test.db.query('select n from public.place')).toEqual([{ n: 2 }]);
  });

  it('lets one of two go first, and the other finds the fence closed', async () => {
    const both = await Promise.all([1, 2].map((n) => writeFenced(test.db, moveFrom(1), [add('x', n)])));
    expect(both.filter((answers) => answers !== undefined)).toHaveLength(1);
    expect(await things()).toHaveLength(1);
  });
});
