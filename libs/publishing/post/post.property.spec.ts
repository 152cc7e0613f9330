import * as fc from 'fast-check';
import { apply, decide, DomainError, instant, MINUTE, plus, type Instant } from '#kernel';
import type { Outcome, PostCommand } from './post.commands';
import { postDecider } from './post.decider';
import type { PostEvent, Settlement } from './post.events';
import type { Post } from './post.state';

// Random commands at random times, refused or not, against one post of up to four destinations.

const start = instant('2026-04-22T12:00:00.000Z');
const RETRIES = [MINUTE, 5 * MINUTE];

const destinationId = fc.integer({ min: 1, max: 5 }).map((n) => `dst_${n}`);
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({
    ok: fc.constant(true as const),
    platformPostId: fc.constantFrom('1', '2'),
    url: fc.constant('https://x.example/1'),
  }),
  fc.record({
    ok: fc.constant(false as const),
    errorCode: fc.constantFrom('a', 'b'),
    error: fc.constant('No'),
    retryable: fc.boolean(),
  }),
);

type Unstamped = PostCommand extends infer C ? (C extends PostCommand ? Omit<C, 'at' | 'actor'> : never) : never;
const command: fc.Arbitrary<Unstamped> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Unstamped>({ type: 'CancelPost', reason: null }) },
  {
    weight: 2,
    arbitrary: fc
      .integer({ min: -2, max: 30 })
      .map((m): Unstamped => ({ type: 'ReschedulePost', scheduledAt: plus(start, m * MINUTE) })),
  },
  { weight: 6, arbitrary: fc.constant<Unstamped>({ type: 'MarkPostDue' }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('MarkDestinationDue' as const),
      destinationId,
      attempt: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 24,
    arbitrary: fc.record({
      type: fc.constant('ReportOutcome' as const),
      destinationId,
      attempt: fc.option(fc.integer({ min: 0, max: 6 }), { freq: 2 }),
      outcome,
      retryDelaysMs: fc.constant(RETRIES),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('RetryPost' as const),
      destinationIds: fc.uniqueArray(destinationId),
    }),
  },
);

const history = fc
  .record({
    count: fc.integer({ min: 1, max: 4 }),
    // The longer ones are more than one append holds for all destinations: it takes two of them, or one.
    text: fc.constantFrom('', 'x'.repeat(120_000), 'x'.repeat(200_000)),
    steps: fc.array(
      fc.tuple(
        command,
        fc.constantFrom(0, 1, 2, 5).map((m) => m * MINUTE),
      ),
      { minLength: 10, maxLength: 60 },
    ),
  })
  .map(({ count, text, steps }) => {
    const destinations = Array.from({ length: count }, (_, n) => ({
      id: `dst_${n + 1}`,
      accountId: `acct_${n + 1}`,
      platform: 'x',
    }));
    const schedule: Unstamped = {
      type: 'SchedulePost',
      postId: 'pst_1',
      profileId: 'prof_1',
      content: { text, mediaIds: [] },
      destinations,
      scheduledAt: null,
      campaignId: null,
    };
    return { total: count, events: run([[schedule, 0], ...steps]) };
  });

/** All events that the commands led to; a refusal leads to none, and anything but a DomainError fails the test. */
function run(steps: readonly (readonly [Unstamped, number])[]): PostEvent[] {
  const events: PostEvent[] = [];
  let post: Post = postDecider.initial;
  let at: Instant = start;
  for (const [step, pause] of steps) {
    at = plus(at, pause);
    try {
      for (const event of decide(postDecider, { ...step, at, actor: 'system' } as PostCommand, post)) {
        events.push(event);
        post = apply(postDecider, post, event);
      }
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
  }
  return events;
}

const always = (check: (it: { total: number; events: PostEvent[] }) => void) =>
  fc.assert(fc.property(history, check), { numRuns: 500 });

const settlementsOf = (events: readonly PostEvent[]): Settlement[] =>
  events.flatMap(({ type, data }) =>
    type === 'PostPublished' || type === 'PostPartiallyPublished' || type === 'PostFailed' ? [data] : [],
  );

const ofDestination = (events: readonly PostEvent[], id: string) =>
  events.filter(({ data }) => 'destinationId' in data && data.destinationId === id);

describe('whatever is asked of a post', () => {
  it('settles once per round', () =>
    always(({ events }) => {
      const rounds = settlementsOf(events).map(({ round }) => round);
      expect(rounds).toEqual(rounds.map((_, index) => index + 1));
      const begun = 1 + events.filter(({ type }) => type === 'PostRetried').length;
      expect([begun, begun - 1]).toContain(rounds.length);
    }));

  it('has counts that add up to the destinations and agree with their last outcomes', () =>
    always(({ total, events }) => {
      events.forEach(({ type, data }, index) => {
        if (type !== 'PostPublished' && type !== 'PostPartiallyPublished' && type !== 'PostFailed') return;
        expect(data.published + data.failed).toBe(total);
        expect(data.total).toBe(total);
        expect(type).toBe(
          data.failed === 0 ? 'PostPublished' : data.published === 0 ? 'PostFailed' : 'PostPartiallyPublished',
        );
        for (const { destinationId: id, ok } of data.outcomes)
          expect(ofDestination(events.slice(0, index), id).at(-1)?.type).toBe(
            ok ? 'DestinationPublished' : 'DestinationFailed',
          );
      });
    }));

  it('is left alone once cancelled', () =>
    always(({ events }) => {
      const cancelled = events.findIndex(({ type }) => type === 'PostCancelled');
      if (cancelled >= 0) expect(events.slice(cancelled + 1)).toEqual([]);
    }));

  it('makes each attempt due once, in order, and gives it one outcome at most', () =>
    always(({ events, total }) => {
      for (let n = 1; n <= total; n++) {
        const attempts: number[] = [];
        let isUnderWay = false;
        for (const { type, data } of ofDestination(events, `dst_${n}`)) {
          if (type === 'DestinationDue') {
            expect(isUnderWay).toBe(false);
            attempts.push(data.attempt);
          } else expect(isUnderWay).toBe(true);
          isUnderWay = type === 'DestinationDue';
        }
        expect(attempts).toEqual(attempts.map((_, index) => index + 1));
      }
    }));

  it('is never tried more than three times a round on one destination', () =>
    always(({ events, total }) => {
      for (let n = 1; n <= total; n++) {
        let tries = 0;
        for (const { type, data } of events) {
          if (type === 'PostRetried') tries = 0;
          if (type === 'DestinationDue' && data.destinationId === `dst_${n}`) tries++;
          expect(tries).toBeLessThanOrEqual(3);
        }
      }
    }));

  it('is never published twice on one destination', () =>
    always(({ events, total }) => {
      for (let n = 1; n <= total; n++) {
        const own = ofDestination(events, `dst_${n}`);
        const published = own.findIndex(({ type }) => type === 'DestinationPublished');
        if (published >= 0) expect(own).toHaveLength(published + 1);
      }
    }));
});

it('the random histories reach every event of a post', () => {
  const seen = new Set(
    fc.sample(history, { numRuns: 500, seed: 1 }).flatMap(({ events }) => events.map(({ type }) => type)),
  );
  expect([...seen].sort()).toEqual(Object.keys(postDecider.evolve).sort());
});
