/** A moment in UTC with milliseconds, always in the form `2026-04-22T14:00:00.000Z`, so that text order is time order. */
export type Instant = string & { readonly __instant: unique symbol };

/** Turns a Date, epoch milliseconds or any text that Date can parse into an Instant. Throws RangeError on nonsense. */
export const instant = (value: Date | number | string): Instant => new Date(value).toISOString() as Instant;

/** Epoch milliseconds of an instant. */
export const millis = (at: Instant): number => Date.parse(at);

/** The instant `ms` milliseconds after (or, when negative, before) `at`. */
export const plus = (at: Instant, ms: number): Instant => instant(millis(at) + ms);

/** The system's one source of the present moment; tests inject their own. */
export type Clock = () => Instant;

export const systemClock: Clock = () => instant(Date.now());

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
