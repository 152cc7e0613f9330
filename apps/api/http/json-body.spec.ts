import { parseJson } from './json-body';

const parse = (json: string) => parseJson(Buffer.from(json));
const lists = (depth: number, inside = '') => '['.repeat(depth) + inside + ']'.repeat(depth);
const objects = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);

describe('a JSON body', () => {
  it('nests a hundred levels and no more', () => {
    for (const json of [lists(100), objects(100), `[${lists(99)},${lists(99)}]`])
      expect(parse(json)).toEqual(JSON.parse(json));
    for (const json of [lists(101), objects(101), lists(100, '{}'), lists(100_000), lists(20_000, '"\\u0041"')])
      expect(() => parse(json)).toThrow('body: must not nest deeper than 100 levels');
  });

  it('may hold any number of brackets in its texts', () => {
    for (const text of ['['.repeat(200), '"'.repeat(3) + '{'.repeat(200), `\\"${'['.repeat(200)}\\`])
      expect(parse(lists(100, JSON.stringify(text)))).toEqual(JSON.parse(lists(100, JSON.stringify(text))));
  });
});
