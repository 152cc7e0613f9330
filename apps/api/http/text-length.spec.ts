import * as fc from 'fast-check';
import { hasLength } from './text-length';

describe('the length of a text', () => {
  it('counts code points', () => {
    const some = fc.string({
      unit: fc.constantFrom('a', '\n', '😀', '\ufe0e', '\ufe0f', '❤', '\u0308'),
      maxLength: 12,
    });
    const few = fc.nat({ max: 9 });
    fc.assert(
      fc.property(some, few, few, (text, min, more) => {
        const { length } = Array.from(text);
        expect(hasLength(text, min, min + more)).toBe(length >= min && length <= min + more);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['a variation selector', `${'a'.repeat(10_000)}\ufe0f`],
    ['one after each', '❤️'.repeat(10_000)],
    ['a pair', `${'😀'.repeat(10_000)}a`],
  ])('counts %s like any other', (_name, tooLong) => expect(hasLength(tooLong, 0, 10_000)).toBe(false));

  it('is that of texts only', () => {
    for (const other of [undefined, null, 5, ['a'], { length: 1 }]) expect(hasLength(other, 0, 10)).toBe(false);
  });
});
