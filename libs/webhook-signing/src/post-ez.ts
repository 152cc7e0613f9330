import { createSecretKey, type KeyObject } from 'node:crypto';
import { WebhookVerificationError } from './errors';
import { anyEqual, hmac } from './hmac';
import { bytesOf, checkId, hasHeader, headerOf, secretsOf, timestampOf, type VerifyInput } from './request';
import type { Signer } from './standard';

// Post-EZ outbound webhooks, "Signing scheme": seeds/post-ez-outbound-webhooks.txt

export interface PostEzSignInput {
  readonly secret?: string;
  /** Live secrets of a rotation, newest first: one `v1=` each. */
  readonly secrets?: readonly string[];
  /** Unix seconds. */
  readonly timestamp: number;
  readonly body: string | Uint8Array;
}

export interface VerifiedPostEz {
  /** The body's `id`: the same on every retry of a delivery. Null when the body is not such an envelope. */
  readonly id: string | null;
  /** The body's `type`. */
  readonly type: string | null;
  /** Unix seconds at which this attempt was signed. */
  readonly timestamp: number;
  /** The verified body as text, ready for JSON.parse. */
  readonly body: string;
}

/** The value of `X-Postez-Signature`: `t=<unix>,v1=<hex>`, one `v1=` per secret. Throws WebhookVerificationError on a bad secret. */
export function signPostEz({ secret, secrets, timestamp, body }: PostEzSignInput): string {
  const all = [...(secret === undefined ? [] : [secret]), ...(secrets ?? [])];
  if (all.length === 0) throw new WebhookVerificationError('SECRET_INVALID', 'No secret was given to sign with.');
  return `t=${timestamp},${all.map((each) => createPostEzSigner(each)('', timestamp, body)).join(',')}`;
}

/** Derives the key of a `pez_` secret once. Each call gives one `v1=<hex>`; the id is not signed by this scheme. */
export function createPostEzSigner(secret: string): Signer {
  const key = postEzKey(secret);
  return (_id, timestamp, body) => `v1=${hmac(key, `${timestamp}.`, body, 'hex')}`;
}

/** Verifies a Post-EZ request. Returns what was verified; throws WebhookVerificationError with a `code`. */
export function verifyPostEz(input: VerifyInput): VerifiedPostEz {
  const keys = secretsOf(input).map(postEzKey);
  const body = bytesOf(input.body);
  const parts = headerOf(input.headers, 'x-postez-signature')
    .split(',')
    .map((part) => part.trim());
  const given = parts.filter((part) => part.startsWith('v1=') && part.length > 3);
  if (given.length === 0) {
    throw new WebhookVerificationError('SIGNATURE_EMPTY', 'The header X-Postez-Signature holds no v1 signature.');
  }
  const times = parts.filter((part) => part.startsWith('t='));
  if (times.length !== 1) {
    throw new WebhookVerificationError('TIMESTAMP_INVALID', 'The header X-Postez-Signature must hold exactly one t=.');
  }
  const time = times[0]!.slice(2);
  const timestamp = timestampOf(time, input);
  if (
    !anyEqual(
      given,
      keys.map((key) => `v1=${hmac(key, `${time}.`, body, 'hex')}`),
    )
  ) {
    throw new WebhookVerificationError('SIGNATURE_MISMATCH', 'No signature matches this body, timestamp and secret.');
  }
  const text = Buffer.from(body).toString('utf8');
  const { id, type } = envelopeOf(text);
  if (id !== null) checkId(id);
  if (
    type !== null &&
    hasHeader(input.headers, 'x-postez-event') &&
    headerOf(input.headers, 'x-postez-event') !== type
  ) {
    throw new WebhookVerificationError('EVENT_MISMATCH', 'The header X-Postez-Event names another type than the body.');
  }
  return { id, type, timestamp, body: text };
}

function envelopeOf(text: string): { id: string | null; type: string | null } {
  const none = { id: null, type: null };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return none; // Signed, so it is the sender's own text; it is just not an envelope.
  }
  if (typeof parsed !== 'object' || parsed === null) return none;
  const { id, type } = parsed as { id?: unknown; type?: unknown };
  return { id: typeof id === 'string' ? id : null, type: typeof type === 'string' ? type : null };
}

/** The HMAC key is the whole secret as shown, prefix included. */
function postEzKey(secret: string): KeyObject {
  if (typeof secret !== 'string' || !/^pez_[A-Za-z0-9_-]+$/.test(secret)) {
    throw new WebhookVerificationError('SECRET_INVALID', 'A secret of Post-EZ is pez_ and base64url characters.');
  }
  return createSecretKey(Buffer.from(secret, 'utf8'));
}
