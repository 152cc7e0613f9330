/** Every way in which a webhook can fail to verify. */
export type WebhookVerificationCode =
  /** The secret given to the verifier is not one of this scheme. */
  | 'SECRET_INVALID'
  /** The body is not a string or bytes: it was parsed, and its signed bytes are lost. */
  | 'BODY_NOT_RAW'
  /** A header of the scheme is not there. */
  | 'HEADER_MISSING'
  /** `webhook-id` is empty or has a `.` in it. */
  | 'ID_INVALID'
  /** The timestamp is not a number of Unix seconds. */
  | 'TIMESTAMP_INVALID'
  | 'TIMESTAMP_TOO_OLD'
  | 'TIMESTAMP_TOO_NEW'
  /** The header is there, and no signature of a known version is in it. */
  | 'SIGNATURE_EMPTY'
  /** Nothing in the header was made from this body with one of the secrets. */
  | 'SIGNATURE_MISMATCH'
  /** `X-Postez-Event`, which is not signed, names another type than the body. */
  | 'EVENT_MISMATCH';

/** The webhook is not to be trusted; answer 400 or 401 and do nothing with it. `code` is stable. */
export class WebhookVerificationError extends Error {
  constructor(
    readonly code: WebhookVerificationCode,
    message: string,
  ) {
    super(message);
    this.name = 'WebhookVerificationError';
  }
}
