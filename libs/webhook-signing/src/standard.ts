import { createSecretKey, type KeyObject } from 'node:crypto';
import { WebhookVerificationError } from './errors';
import { anyEqual, hmac } from './hmac';
import { bytesOf, checkId, headerOf, secretsOf, timestampOf, type VerifyInput } from './request';

// Standard Webhooks 1.0.0: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

export interface StandardSignInput {
  readonly secret?: string;
  /** Live secrets of a rotation, newest first: one signature each. */
  readonly secrets?: readonly string[];
  /** `webhook-id`; has no `.` in it. */
  readonly id: string;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly body: string | Uint8Array;
}

export interface VerifiedStandard {
  /** `webhook-id`: the same on every retry and replay; de-duplicate by it. */
  readonly id: string;
  /** Unix seconds at which this attempt was signed. */
  readonly timestamp: number;
  /** The verified body as text, ready for JSON.parse. */
  readonly body: string;
}

/** Signs with a key made once: what a sender keeps per endpoint. */
export type Signer = (id: string, timestamp: number, body: string | Uint8Array) => string;

/** The value of `webhook-signature`: `v1,<base64>`, several separated by a space. Throws WebhookVerificationError or RangeError on a bad secret or id. */
export function signStandard({ secret, secrets, id, timestamp, body }: StandardSignInput): string {
  const all = [...(secret === undefined ? [] : [secret]), ...(secrets ?? [])];
  if (all.length === 0) throw new WebhookVerificationError('SECRET_INVALID', 'No secret was given to sign with.');
  return all.map((each) => createStandardSigner(each)(id, timestamp, body)).join(' ');
}

/** Derives the key of a `whsec_` secret once, for many signatures. */
export function createStandardSigner(secret: string): Signer {
  const key = standardKey(secret);
  return (id, timestamp, body) => {
    if (id === '' || id.includes('.')) throw new RangeError('A webhook id is not empty and has no "." in it.');
    return `v1,${hmac(key, `${id}.${timestamp}.`, body, 'base64')}`;
  };
}

/** Verifies a Standard Webhooks request. Returns what was verified; throws WebhookVerificationError with a `code`. */
export function verifyStandard(input: VerifyInput): VerifiedStandard {
  const keys = secretsOf(input).map(standardKey);
  const body = bytesOf(input.body);
  const id = headerOf(input.headers, 'webhook-id');
  const time = headerOf(input.headers, 'webhook-timestamp');
  const header = headerOf(input.headers, 'webhook-signature', ' ');
  checkId(id);
  const timestamp = timestampOf(time, input);
  const given = header.split(' ').filter((entry) => entry.startsWith('v1,') && entry.length > 3);
  if (given.length === 0) {
    throw new WebhookVerificationError('SIGNATURE_EMPTY', 'The header webhook-signature holds no v1 signature.');
  }
  const expected = keys.map((key) => `v1,${hmac(key, `${id}.${time}.`, body, 'base64')}`);
  if (!anyEqual(given, expected)) {
    throw new WebhookVerificationError(
      'SIGNATURE_MISMATCH',
      'No signature matches this body, id, timestamp and secret.',
    );
  }
  return { id, timestamp, body: Buffer.from(body).toString('utf8') };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/** The HMAC key: the decoded bytes behind `whsec_`; the prefix may be missing, as the specification allows. */
function standardKey(secret: string): KeyObject {
  const text = typeof secret === 'string' ? secret.replace(/^whsec_/, '') : '';
  if (text === '' || !BASE64.test(text)) {
    throw new WebhookVerificationError('SECRET_INVALID', 'A secret of Standard Webhooks is whsec_ and base64.');
  }
  return createSecretKey(Buffer.from(text, 'base64'));
}
