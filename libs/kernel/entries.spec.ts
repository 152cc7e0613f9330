import * as fc from 'fast-check';
import { allEntries, entry, noEntries, withEntry, type Entries } from './entries';

const someKey = fc.oneof(fc.constantFrom('a', 'b', '__proto__', 'constructor', ''), fc.string());
const someChange = fc.tuple(someKey, fc.option(fc.integer(), { nil: undefined }));

describe('entries by key', () => {
  it('are those of a map to which the same is done', () => {
    fc.assert(
      fc.property(fc.array(someChange), someKey, (changes, asked) => {
        const map = new Map<string, number>();
        let entries: Entries<number> = noEntries;
        for (const [key, value] of changes) {
          entries = withEntry(entries, key, value);
          if (value === undefined) map.delete(key);
          else map.set(key, value);
        }
        expect(new Map(allEntries(entries))).toEqual(map);
        expect(allEntries(entries)).toHaveLength(map.size);
        expect(entry(entries, asked)).toBe(map.get(asked));
      }),
    );
  });

  it('share with those before a change all but what is near it', () => {
    let before: Entries<number> = noEntries;
    for (let n = 0; n < 5_000; n++) before = withEntry(before, `key ${n}`, n);
    const after = withEntry(before, 'key 7', 0);
    expect(entry(before, 'key 7')).toBe(7);
    const copied = after.filter((bucket, at) => bucket !== before[at]);
    expect(copied.flatMap(Object.keys)).toContain('key 7');
    expect(copied.flatMap(Object.keys).length).toBeLessThan(60);
  });
});
