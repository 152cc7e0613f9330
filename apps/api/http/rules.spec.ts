import { IsDefined, validateSync } from 'class-validator';
import fc from 'fast-check';
import { PostsQuery, ReportOutcome, SchedulePost } from '../posts/posts.dto';
import { Flag, Nested, NestedList, Text, Whole, type Dto } from './fields';
import { keepsRules } from './rules';

class Inner {
  @Text({ max: 3 })
  word!: string;
}
class Base {
  @Whole({ min: 1, max: 3 })
  count!: number;
}
class Outer extends Base {
  @Nested(() => Inner, { optional: true })
  one?: Inner;

  @NestedList(() => Inner, { max: 2, optional: true, distinct: 'word' })
  many?: Inner[];

  @Flag({ optional: true, nullable: true, needed: ({ count }) => count === 2 })
  flag?: boolean | null;
}
class Strange {
  @IsDefined()
  field!: unknown;
}
class Empty {}

const OPTIONS = { stopAtFirstError: true, forbidUnknownValues: true };
const isRight = (instance: object) => validateSync(instance, OPTIONS).length === 0;
const made = (dto: Dto, fields: object): object => Object.assign(new dto(), fields);

const inner = fc
  .record({ word: fc.oneof(fc.constantFrom('a', 'b', 'long'), fc.constantFrom(1, null)) }, { requiredKeys: [] })
  .map((fields) => made(Inner, fields));
const odd = fc.constantFrom<unknown>(null, undefined, 0, '', [], {}, [null], [[]], 'text');
const outer = fc
  .record(
    {
      count: fc.oneof(fc.integer({ min: 0, max: 4 }), odd),
      one: fc.oneof(inner, odd),
      many: fc.oneof(fc.array(fc.oneof({ weight: 5, arbitrary: inner }, odd), { maxLength: 3 }), odd),
      flag: fc.oneof(fc.boolean(), odd),
    },
    { requiredKeys: [] },
  )
  .map((fields) => made(Outer, fields));

describe('the rules of a class, looked up once', () => {
  it('are kept exactly when class-validator finds nothing wrong', () => {
    let right = 0;
    fc.assert(
      fc.property(outer, (instance) => {
        right += Number(isRight(instance));
        expect(keepsRules(instance)).toBe(isRight(instance));
      }),
      { numRuns: 2_000 },
    );
    expect(right).toBeGreaterThan(20);
  });

  it.each([
    [made(SchedulePost, {}), false],
    [made(ReportOutcome, { outcome: 'published', platformPostId: '1', url: 'https://a' }), true],
    [made(ReportOutcome, { outcome: 'published', platformPostId: '1' }), false],
    [made(ReportOutcome, { outcome: 'failed', platformPostId: '1', url: 'https://a' }), false],
    [made(PostsQuery, { limit: 1, status: 'failed' }), true],
    [made(PostsQuery, { limit: -1 }), false],
    [made(PostsQuery, { status: 'unheard' }), false],
  ])('hold for the classes of the api, inherited rules included: %j', (instance, expected) => {
    expect([keepsRules(instance), isRight(instance)]).toEqual([expected, expected]);
  });

  it('leave to class-validator what they do not know', () => {
    expect(keepsRules(made(Strange, { field: 1 }))).toBe(false);
    expect(keepsRules(new Empty())).toBe(false);
  });
});
