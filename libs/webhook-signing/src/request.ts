import { WebhookVerificationError } from './errors';

/** Headers as Node, Express, Fastify, Nest or fetch give them. Names in any case. */
export type WebhookHeaders =
  Readonly<Record<string, string | readonly string[] | undefined>> | { get(name: string): string | null | undefined };

export interface VerifyInput {
  /** One secret, as it was shown when the endpoint was registered. */
  readonly secret?: string;
  /** Several, for the time of a rotation: any of them may have signed. */
  readonly secrets?: readonly string[];
  readonly headers: WebhookHeaders;
  /** The raw body, byte for byte as received. */
  readonly body: string | Uint8Array;
  /** How far the timestamp may be off, in either direction; 300 seconds. */
  readonly toleranceSeconds?: number;
  /** The present moment: a Date, Unix seconds, or (from 100,000,000,000 on) milliseconds. The system's clock when absent. */
  readonly now?: Date | number;
}

/** All secrets that a request may be signed with. Throws a WebhookVerificationError SECRET_INVALID when none was given. */
export function secretsOf({ secret, secrets }: VerifyInput): readonly string[] {
  const all = [...(secret === undefined ? [] : [secret]), ...(secrets ?? [])];
  if (all.length === 0) throw new WebhookVerificationError('SECRET_INVALID', 'No secret was given to verify with.');
  return all;
}

/** The bytes of a raw body. Throws a WebhookVerificationError BODY_NOT_RAW for anything else, such as a parsed one. */
export function bytesOf(body: unknown): Uint8Array {
  if (typeof body === 'string') return Buffer.from(body, 'utf8');
  if (body instanceof Uint8Array) return body;
  throw new WebhookVerificationError(
    'BODY_NOT_RAW',
    'The body must be the raw string or bytes as received; a parsed body cannot be verified.',
  );
}

/** A header's value; what came more than once is joined by `joiner`, as HTTP allows. */
export function headerOf(headers: WebhookHeaders, name: string, joiner = ', '): string {
  const found =
    typeof headers.get === 'function' ? headers.get(name) : ownHeader(headers as Record<string, unknown>, name);
  const value = Array.isArray(found) ? found.join(joiner) : found;
  if (typeof value !== 'string') throw new WebhookVerificationError('HEADER_MISSING', `The header ${name} is missing.`);
  return value.trim();
}

/** Whether the request has the header, in any spelling of upper and lower case. */
export const hasHeader = (headers: WebhookHeaders, name: string): boolean =>
  (typeof headers.get === 'function' ? headers.get(name) : ownHeader(headers as Record<string, unknown>, name)) != null;

function ownHeader(headers: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(headers, name)) return headers[name];
  const found = Object.keys(headers).find((key) => key.toLowerCase() === name);
  return found === undefined ? undefined : headers[found];
}

/** Unix seconds out of `text`, no more than the tolerance away from now. */
export function timestampOf(text: string, { toleranceSeconds = 300, now }: VerifyInput): number {
  if (!/^\d{1,12}$/.test(text)) {
    throw new WebhookVerificationError('TIMESTAMP_INVALID', 'The timestamp is not a number of Unix seconds.');
  }
  const timestamp = Number(text);
  const ahead = timestamp - secondsOf(now ?? Date.now());
  // What is no number is neither less nor more than another: every timestamp would pass.
  if (Number.isNaN(ahead) || typeof toleranceSeconds !== 'number' || Number.isNaN(toleranceSeconds))
    throw new TypeError('`now` must be a Date or a number, and `toleranceSeconds` a number.');
  if (ahead < -toleranceSeconds) {
    throw new WebhookVerificationError(
      'TIMESTAMP_TOO_OLD',
      `The timestamp is more than ${toleranceSeconds} s in the past.`,
    );
  }
  if (ahead > toleranceSeconds) {
    throw new WebhookVerificationError(
      'TIMESTAMP_TOO_NEW',
      `The timestamp is more than ${toleranceSeconds} s in the future.`,
    );
  }
  return timestamp;
}

/** Whole seconds, as a sender's clock counts them: a message signed in this very second is not in the future. */
const secondsOf = (now: Date | number): number =>
  Math.floor(now instanceof Date ? now.getTime() / 1000 : now >= 1e11 ? now / 1000 : now);

/** Throws ID_INVALID for an id that is empty or has a `.` in it: by that the parts of what Standard Webhooks sign are told from each other. */
export function checkId(id: string): void {
  if (id === '' || id.includes('.'))
    throw new WebhookVerificationError('ID_INVALID', 'The webhook id is empty or has a "." in it.');
}
