/** A moment in UTC with milliseconds, always in the form `2026-04-22T14:00:00.000Z`, so that text order is time order. */
export type Instant = string & { readonly __instant: unique symbol };

/** Turns a Date, epoch milliseconds or any text that Date can parse into an Instant. Throws RangeError on nonsense. */
export const instant = (value: Date | number | string): Instant => new Date(value).toISOString() as Instant;

/** Epoch milliseconds of an instant. */
export const millis = (at: Instant): number => Date.parse(at);

/** The first and the last moment that PostgreSQL and a sortable text hold, in every time zone. */
export const FIRST_INSTANT = instant('0001-01-02T00:00:00.000Z');
export const LAST_INSTANT = instant('9999-12-31T23:59:59.999Z');

const [FIRST_MS, LAST_MS] = [millis(FIRST_INSTANT), millis(LAST_INSTANT)];

/** The instant `ms` milliseconds after (or, when negative, before) `at`; the first or the last there is, where it would lie beyond. */
export const plus = (at: Instant, ms: number): Instant =>
  instant(Math.min(LAST_MS, Math.max(FIRST_MS, millis(at) + ms)));

/** The system's one source of the present moment; tests inject their own. */
export type Clock = () => Instant;

/** By the clock of the machine, in milliseconds. */
export const systemClock: Clock = () => instant(Date.now());

/** Durations, in milliseconds. */
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
