import * as fc from 'fast-check';
import { DAY, instant, millis, plus } from '#kernel';
import { nextStep, type EndedAttempt, type Ladder } from './next-step';

const endedAt = instant('2026-04-22T12:00:00.000Z');
const core = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
const ladder = (change: Partial<Ladder> = {}): Ladder => ({
  delaysSeconds: core,
  jitter: 0.1,
  scale: 1,
  chance: 0.5,
  ...change,
});
const failed = (change: Partial<EndedAttempt> = {}): EndedAttempt => ({
  ok: false,
  statusCode: 500,
  endedAt,
  number: 1,
  ...change,
});
const inSeconds = (seconds: number) => ({ kind: 'retry', at: plus(endedAt, seconds * 1_000) });

describe('after an attempt', () => {
  it('that succeeded the delivery is done', () =>
    expect(nextStep({ ...failed(), ok: true, statusCode: 204 }, ladder())).toEqual({ kind: 'delivered' }));
  it('that failed the ladder says when to try again', () =>
    expect(core.map((_, index) => nextStep(failed({ number: index + 1 }), ladder()))).toEqual(core.map(inSeconds)));
  it('that was the last the delivery is parked', () =>
    expect(nextStep(failed({ number: 10 }), ladder())).toEqual({ kind: 'parked' }));
  it('without an answer the ladder goes on', () =>
    expect(nextStep(failed({ statusCode: undefined }), ladder())).toEqual(inSeconds(5)));
  it('that was redirected the ladder goes on', () =>
    expect([301, 302, 303, 307, 308].map((statusCode) => nextStep(failed({ statusCode }), ladder()))).toEqual(
      Array(5).fill(inSeconds(5)),
    ));
  it('that met 410 the endpoint is gone, also at the last attempt', () => {
    expect(nextStep(failed({ statusCode: 410 }), ladder())).toEqual({ kind: 'gone' });
    expect(nextStep(failed({ statusCode: 410, number: 10 }), ladder())).toEqual({ kind: 'gone' });
  });
  it('a ladder may begin with an immediate retry', () =>
    expect(nextStep(failed(), ladder({ delaysSeconds: [0, 60] }))).toEqual(inSeconds(0)));
  it('the Post-EZ ladder parks when the fifth retry fails', () => {
    const delaysSeconds = [30, 120, 600, 3_600, 21_600];
    expect(nextStep(failed({ number: 5 }), ladder({ delaysSeconds }))).toEqual(inSeconds(21_600));
    expect(nextStep(failed({ number: 6 }), ladder({ delaysSeconds }))).toEqual({ kind: 'parked' });
  });
});

describe('jitter', () => {
  it('wavers as far as the ladder says to either side', () => {
    expect(nextStep(failed({ number: 2 }), ladder({ chance: 0 }))).toEqual(inSeconds(270));
    expect(nextStep(failed({ number: 2 }), ladder({ chance: 1 }))).toEqual(inSeconds(330));
    expect(nextStep(failed({ number: 2 }), ladder({ chance: 1, jitter: 0.5 }))).toEqual(inSeconds(450));
  });
});

describe('Retry-After', () => {
  const asked = (retryAfter: string, statusCode = 503) => nextStep(failed({ statusCode, retryAfter }), ladder());
  it.each([429, 503])('of a %i moves the attempt later', (statusCode) =>
    expect(asked('120', statusCode)).toEqual(inSeconds(120)),
  );
  it('need not come with a 503', () => expect(nextStep(failed({ statusCode: 503 }), ladder())).toEqual(inSeconds(5)));
  it('may stand among spaces', () => expect(asked(' 120 ')).toEqual(inSeconds(120)));
  it('is not heard with another status', () => expect(asked('120', 500)).toEqual(inSeconds(5)));
  it('never moves it earlier', () => expect(asked('1')).toEqual(inSeconds(5)));
  it('never moves it by more than 24 hours', () => {
    expect(asked('999999')).toEqual(inSeconds(5 + 86_400));
    expect(asked('9'.repeat(400))).toEqual(inSeconds(5 + 86_400));
  });
  it.each(['Wed, 22 Apr 2026 12:02:00 GMT', 'Wednesday, 22-Apr-26 12:02:00 GMT', 'Wed Apr 22 12:02:00 2026'])(
    'may be a date: %s',
    (date) => expect(asked(date)).toEqual(inSeconds(120)),
  );
  it('is a date of GMT also where it does not say so, whatever the time zone of this machine', () => {
    const read = jest.spyOn(Date, 'parse');
    asked('Wed Apr 22 12:02:00 2026');
    expect(read).toHaveBeenCalledWith('Wed Apr 22 12:02:00 2026 GMT');
    read.mockRestore();
  });
  it.each([
    '',
    'soon',
    '-5',
    '1.5',
    '2026-04-23',
    'Wed, 99 Foo 2026 12:02:00 GMT',
    'about Wed, 22 Apr 2026 12:02:00 GMT',
    'Wed Apr 22 12:02:00 2026 (CET)',
  ])('that is nonsense is not heard: %j', (text) => expect(asked(text)).toEqual(inSeconds(5)));
  it('is not scaled, as the ladder is', () =>
    expect(nextStep(failed({ statusCode: 429, retryAfter: '120' }), ladder({ scale: 0.001 }))).toEqual(inSeconds(120)));
  it('does not lengthen the ladder', () =>
    expect(nextStep(failed({ statusCode: 503, retryAfter: '1', number: 10 }), ladder())).toEqual({ kind: 'parked' }));
});

describe('whatever a receiver answers', () => {
  const attempt = fc.record({
    ok: fc.constant(false),
    statusCode: fc.option(
      fc.integer({ min: 100, max: 599 }).filter((status) => status !== 410),
      { nil: undefined },
    ),
    retryAfter: fc.option(
      fc.oneof(
        fc.nat().map(String),
        fc.string(),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      ),
      { nil: undefined },
    ),
    endedAt: fc.constant(endedAt),
    number: fc.integer({ min: 1, max: 12 }),
  });
  const rules = fc.record({
    delaysSeconds: fc.array(fc.integer({ min: 0, max: 86_400 }), { maxLength: 10 }),
    jitter: fc.constantFrom(0, 0.1, 0.5),
    scale: fc.constantFrom(1, 0.01, 0.0002),
    chance: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  it('the next attempt is never earlier than the ladder less its jitter, nor a day later than it', () =>
    fc.assert(
      fc.property(attempt, rules, (ended, rule) => {
        const { delaysSeconds, jitter, scale } = rule;
        const step = nextStep(ended, rule);
        const pause = delaysSeconds[ended.number - 1];
        if (pause === undefined) return void expect(step).toEqual({ kind: 'parked' });
        if (step.kind !== 'retry') throw new Error(`expected a retry, not ${step.kind}`);
        const waited = millis(step.at) - millis(endedAt);
        expect(waited).toBeGreaterThanOrEqual(Math.floor(pause * 1_000 * scale * (1 - jitter)));
        expect(waited).toBeLessThanOrEqual(Math.ceil(pause * 1_000 * scale * (1 + jitter)) + DAY);
      }),
      { numRuns: 1_000 },
    ));

  it('a ladder ends after one attempt more than it has pauses', () =>
    fc.assert(
      fc.property(rules, (rule) => {
        let number = 1;
        while (nextStep(failed({ number }), rule).kind === 'retry') number++;
        expect(number).toBe(rule.delaysSeconds.length + 1);
      }),
    ));
});
