import { Nested, NestedList, Text, Time, Whole } from './fields';
import { Problem } from './problem';
import { validated } from './validate';

class Inner {
  @Text({ max: 3 })
  word!: string;
}
class Outer {
  @Whole({ min: 1, max: 3 })
  count!: number;

  @Time()
  at!: string;

  @Nested(() => Inner)
  one!: Inner;

  @NestedList(() => Inner, { max: 2 })
  many!: Inner[];
}

const errorsOf = (plain: unknown): unknown => {
  try {
    return validated(Outer, plain);
  } catch (error) {
    return (error as Problem).body('c')['errors'];
  }
};

describe('what is wrong with an input', () => {
  it('a field that is not there is told from one that holds something else', () => {
    expect(errorsOf({ one: {}, many: [{ word: 1 }, {}] })).toEqual([
      { pointer: '/count', message: 'is missing; it must be a whole number' },
      { pointer: '/at', message: expect.stringMatching(/^is missing; it must be a time/) as string },
      { pointer: '/one/word', message: 'is missing; it must be text' },
      { pointer: '/many/0/word', message: 'must be text' },
      { pointer: '/many/1/word', message: 'is missing; it must be text' },
    ]);
    expect(errorsOf({ count: '1', at: null, one: 'a' })).toEqual([
      { pointer: '/count', message: 'must be a whole number' },
      { pointer: '/at', message: expect.stringMatching(/^must be a time/) as string },
      { pointer: '/one', message: expect.stringMatching(/^must be/) as string },
      { pointer: '/many', message: expect.stringMatching(/^is missing; it must/) as string },
    ]);
  });
});
