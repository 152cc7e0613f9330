import * as fc from 'fast-check';
import { first, newest, sizeOf } from './size';

describe('the size of a value', () => {
  it('is about that of its JSON, whatever it is', () =>
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // Numbers are all taken for as long as a usual one, and escapes for what they stand for.
        const plain = JSON.parse(JSON.stringify(value), (_, one: unknown) =>
          typeof one === 'string' ? 'text' : one,
        ) as unknown;
        expect(sizeOf(plain)).toBeGreaterThanOrEqual(JSON.stringify(plain).length / 4);
        expect(sizeOf(plain)).toBeLessThanOrEqual(JSON.stringify(plain).length * 9);
      }),
    ));

  it('counts what JSON cannot hold', () => {
    expect(sizeOf(new Uint8Array(1_000))).toBe(1_000);
    expect(sizeOf(new Map([['key', 'x'.repeat(1_000)]]))).toBeGreaterThan(1_000);
    expect(sizeOf({ one: new Set(['x'.repeat(1_000)]), two: undefined })).toBeGreaterThan(1_000);
  });
});

it('takes the first of a list, by number and by size', () => {
  const list = ['aaaa', 'bb', 'c', 'dddd'];
  const taken = (count: number, size: number) => first(list, { count, size }, ({ length }) => length);
  expect(taken(9, 99)).toEqual(list);
  expect(taken(2, 99)).toEqual(['aaaa', 'bb']);
  expect(taken(9, 6)).toEqual(['aaaa', 'bb']);
  expect(taken(9, 5)).toEqual(['aaaa', 'bb']);
  expect(taken(9, 1)).toEqual(['aaaa']);
  expect(taken(0, 99)).toEqual([]);
});

it('keeps the newest of a list, by number and by size', () => {
  const list = ['aaaa', 'bb', 'c', 'dddd'];
  const kept = (count: number, size: number) => newest(list, { count, size }, ({ length }) => length);
  expect(kept(9, 99)).toEqual(list);
  expect(kept(2, 99)).toEqual(['c', 'dddd']);
  expect(kept(9, 7)).toEqual(['bb', 'c', 'dddd']);
  expect(kept(9, 6)).toEqual(['c', 'dddd']);
  expect(kept(9, 3)).toEqual([]);
  expect(kept(0, 99)).toEqual([]);
});
