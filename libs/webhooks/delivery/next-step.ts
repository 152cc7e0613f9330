import { DAY, instant, millis, SECOND, type Instant } from '#kernel';

/** One attempt that is over. */
export interface EndedAttempt {
  /** The exchange was complete in time, with a 2xx status. */
  readonly ok: boolean;
  /** Absent when there was no answer. */
  readonly statusCode?: number | undefined;
  /** The `Retry-After` header as it came. */
  readonly retryAfter?: string | undefined;
  readonly endedAt: Instant;
  /** Its number within the present ladder, from 1; a replay begins a new ladder. */
  readonly number: number;
}

export interface Ladder {
  /** The pause before each further attempt, in seconds: one more attempt than pauses. */
  readonly delaysSeconds: readonly number[];
  /** How far a pause wavers to either side: 0.1 is ±10 %. */
  readonly jitter: number;
  /** RETRY_SCALE: multiplies the pauses, not Retry-After. */
  readonly scale: number;
  /** A draw in [0, 1] that becomes the jitter. */
  readonly chance: number;
}

export type Step =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly at: Instant }
  | { readonly kind: 'parked' }
  /** The receiver said 410: its endpoint is to be disabled. */
  | { readonly kind: 'gone' };

/** CONTRACTS §4: Retry-After moves an attempt by no more. */
const MAX_RETRY_AFTER_MS = DAY;
/** API.md: an endpoint that fails every attempt for so long is disabled as `failing`. */
export const FAILING_AFTER_MS = 5 * DAY;

const GONE = 410;
const MAY_ASK_FOR_PATIENCE: readonly (number | undefined)[] = [429, 503];

/**
 * What follows an attempt (CONTRACTS §1, §4). Pauses count from its end. Whatever is not 2xx is a
 * failure, a redirect too. A 429 or 503 may ask for patience: never earlier than the ladder, never over 24 h later than it.
 */
export function nextStep(
  { ok, statusCode, retryAfter, endedAt, number }: EndedAttempt,
  { delaysSeconds, jitter, scale, chance }: Ladder,
): Step {
  if (ok) return { kind: 'delivered' };
  if (statusCode === GONE) return { kind: 'gone' };
  const seconds = delaysSeconds[number - 1];
  if (seconds === undefined) return { kind: 'parked' };
  const ladder = millis(endedAt) + Math.round(seconds * SECOND * scale * (1 + jitter * (2 * chance - 1)));
  const asked =
    retryAfter !== undefined && MAY_ASK_FOR_PATIENCE.includes(statusCode) ? askedFor(retryAfter, endedAt) : undefined;
  return {
    kind: 'retry',
    at: instant(asked === undefined ? ladder : Math.min(Math.max(ladder, asked), ladder + MAX_RETRY_AFTER_MS)),
  };
}

/** The three date forms of RFC 9110 §5.6.7: all are in GMT, the last (asctime) does not say so. */
const HTTP_DATE =
  /^(?:\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT|\w{6,9}, \d{2}-\w{3}-\d{2} [\d:]{8} GMT|\w{3} \w{3} [ \d]\d [\d:]{8} \d{4})$/;

/** Epoch milliseconds that a Retry-After asks to wait for (RFC 9110 §10.2.3); undefined when it is neither seconds nor a date. */
function askedFor(retryAfter: string, endedAt: Instant): number | undefined {
  const text = retryAfter.trim();
  if (/^\d+$/.test(text)) return millis(endedAt) + Number(text) * SECOND;
  if (!HTTP_DATE.test(text)) return undefined;
  const asked = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(asked) ? undefined : asked;
}
