import { Recent } from './recent';

const filled = (capacity: number, keys: number): Recent<number, string> => {
  const recent = new Recent<number, string>(capacity);
  for (let key = 0; key < keys; key++) recent.set(key, `value ${key}`);
  return recent;
};
const known = (recent: Recent<number, string>, keys: number): number[] =>
  Array.from({ length: keys }, (_, key) => key).filter((key) => recent.get(key) !== undefined);

describe('a map of what was used lately', () => {
  it('holds at least half of its capacity and never more than all of it', () => {
    for (let keys = 0; keys < 100; keys++) {
      const size = known(filled(10, keys), keys).length;
      expect(size).toBeGreaterThanOrEqual(Math.min(keys, 5));
      expect(size).toBeLessThanOrEqual(10);
    }
  });

  it('keeps what is asked for again and again, whatever passes by', () => {
    const recent = filled(10, 1);
    for (let key = 1; key < 1_000; key++) {
      recent.set(key, 'passing');
      expect(recent.get(0)).toBe('value 0');
    }
    expect(recent.get(500)).toBeUndefined();
  });

  it('is bounded by the size of what it holds, where that is told', () => {
    const recent = new Recent<number, string>(1_000, { size: 100, sizeIn: ({ length }) => length });
    const held = (keys: number) => known(recent, keys).reduce((sum, key) => sum + recent.get(key)!.length, 0);
    for (let key = 0; key < 200; key++) {
      recent.set(key, 'x'.repeat(key % 7));
      recent.set(key - 1, 'x'.repeat(key % 11));
      if (key % 3 === 0) recent.delete(key - 2);
      expect(recent.get(key)?.length).toBe(key % 7);
    }
    expect(held(200)).toBeGreaterThan(20);
    expect(held(200)).toBeLessThanOrEqual(100);
    recent.set(0, 'x'.repeat(500));
    expect(recent.get(0)).toHaveLength(500);
    for (let key = 1; key < 100; key++) recent.set(key, 'xx');
    expect([recent.get(0), held(200) <= 100]).toEqual([undefined, true]);
  });

  it('gives the newest value, and nothing of what was deleted, from either generation', () => {
    const recent = filled(10, 7);
    recent.set(0, 'newer');
    recent.delete(1);
    recent.delete(6);
    expect([recent.get(0), recent.get(1), recent.get(6), recent.get(2)]).toEqual([
      'newer',
      undefined,
      undefined,
      'value 2',
    ]);
    recent.clear();
    expect(known(recent, 7)).toEqual([]);
  });
});
