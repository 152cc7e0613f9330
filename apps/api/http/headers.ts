import type { IncomingHttpHeaders } from 'node:http';
import { idPattern, uuidv7 } from '#kernel';
import { CORRELATION_ID } from '#platform';
import type { Trace } from './caller';
import { invalid } from './problem';

/** W3C Trace Context: version (ff is none), trace id, parent id (neither is all zeros), flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const USER = idPattern('usr');

/** One header as text; undefined when absent. */
const one = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
};

/** What the request belongs to: `X-Correlation-Id`, else the trace of `traceparent`, else a new id. Throws 400 for a malformed one. */
export function traceOf(headers: IncomingHttpHeaders): Trace {
  const traceparent = one(headers, 'traceparent');
  // A traceparent that cannot be read is ignored, as W3C Trace Context §3.3 wants it.
  const trace = traceparent === undefined ? null : TRACEPARENT.exec(traceparent);
  const given = one(headers, 'x-correlation-id');
  if (given !== undefined && !CORRELATION_ID.test(given))
    throw invalid({ pointer: '/X-Correlation-Id', message: 'must be 1 to 200 visible ASCII characters' });
  const correlationId = given ?? trace?.[1] ?? uuidv7();
  return trace ? { correlationId, traceparent: traceparent! } : { correlationId };
}

/** `X-Actor`, when a service acts for a person. Throws 400 for what is not an id of a user. */
export function actorOf(headers: IncomingHttpHeaders): string | undefined {
  const actor = one(headers, 'x-actor');
  if (actor !== undefined && !USER.test(actor))
    throw invalid({ pointer: '/X-Actor', message: 'must be an id such as usr_1' });
  return actor;
}

/** What may be an `Idempotency-Key`: one that is quoted is read without its quotes. */
export const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/** `Idempotency-Key`, quoted (as the IETF draft has it) or bare. Throws 400 for a malformed one. */
export function idempotencyKeyOf(headers: IncomingHttpHeaders): string | undefined {
  const given = one(headers, 'idempotency-key');
  if (given === undefined) return undefined;
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given;
  if (!IDEMPOTENCY_KEY.test(key))
    throw invalid({ pointer: '/Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters' });
  return key;
}

/** A revision that no thing has, so that a tag that is not ours matches nothing. */
export const NO_REVISION = -2;

const TAG = /(?:W\/)?"([^"]*)"/g;

/** The revisions that `If-Match` allows, at least one; undefined without it and for `*`. Throws 400 for what is no list of entity tags. */
export function expectedRevisions(headers: IncomingHttpHeaders): readonly number[] | undefined {
  const given = one(headers, 'if-match')?.trim();
  if (given === undefined || given === '*') return undefined;
  const tags = /^\d+$/.test(given) ? [given] : Array.from(given.matchAll(TAG), ([, tag]) => tag!);
  if (tags.length === 0 || /[^\s,]/.test(given.replace(TAG, '').replace(/^\d+$/, '')))
    throw invalid({ pointer: '/If-Match', message: 'must be an entity tag such as "3"' });
  return tags.map((tag) => (/^(?:0|[1-9]\d{0,14})$/.test(tag) ? Number(tag) : NO_REVISION));
}

const MAX_WAIT_SECONDS = 30;

/** How long a read may wait for the read model: `Prefer: wait=<seconds>` (RFC 7240), at most 30 s. In ms; undefined when that is not said. */
export function waitOf(headers: IncomingHttpHeaders): number | undefined {
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?/i.exec(one(headers, 'prefer') ?? '')?.[1];
  return seconds === undefined ? undefined : Math.min(Number(seconds), MAX_WAIT_SECONDS) * 1_000;
}
