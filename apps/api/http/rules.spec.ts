import { IsDefined, validateSync } from 'class-validator';
import * as fc from 'fast-check';
import { PostsQuery, ReportOutcome, SchedulePost } from '../posts/posts.dto';
import { Flag, Nested, NestedList, Text, Whole } from './fields';
import type { Dto } from './readings';
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
  .record(
    { word: fc.oneof({ weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c') }, fc.constantFrom('long', 1, null)) },
    { requiredKeys: [] },
  )
  .map((fields) => made(Inner, fields));
const odd = fc.constantFrom<unknown>(null, undefined, 0, '', [], {}, [null], [[]], 'text');
/** Mostly what may be right, so that both answers are asked for often. */
const mostly = (right: fc.Arbitrary<unknown>) => fc.oneof({ weight: 5, arbitrary: right }, odd);
const outer = fc
  .record(
    {
      count: mostly(fc.integer({ min: 0, max: 3 })),
      one: mostly(inner),
      many: mostly(fc.array(mostly(inner), { maxLength: 3 })),
      flag: mostly(fc.boolean()),
    },
    { requiredKeys: [] },
  )
  .map((fields) => made(Outer, fields));

describe('the rules of a class, looked up once', () => {
  it('are kept exactly when class-validator finds nothing wrong', () => {
    let right = 0;
    const runs = 2_000;
    fc.assert(
      fc.property(outer, (instance) => {
        right += Number(isRight(instance));
        expect(keepsRules(instance)).toBe(isRight(instance));
      }),
      { numRuns: runs },
    );
    expect(right).toBeGreaterThan(runs / 40);
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
