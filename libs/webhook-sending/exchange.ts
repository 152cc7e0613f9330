/** Where an exchange ended when it did not end well. `refused`: the target must not be reached, and was not. */
export type ErrorStage =
  'refused' | 'resolve' | 'connect' | 'tls' | 'send' | 'headers' | 'body' | 'timeout' | 'aborted';

export interface ExchangeRequest {
  /** As registered; it is vetted again here. */
  readonly url: string;
  /** Lower-case names. `host`, `content-length` and `connection` are the sender's own. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes that were signed. */
  readonly body: string | Buffer;
  /** For everything, from resolving the name to the last byte of the response. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface Exchange {
  /** A 2xx whose body was read, or cut off at the bound, in time. */
  readonly ok: boolean;
  /** Absent when no status line came. */
  readonly statusCode?: number;
  readonly error?: { readonly stage: ErrorStage; readonly message: string };
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** The first 16 KiB of the response as it came (never decompressed), invalid UTF-8 replaced, NUL removed. */
  readonly response?: string;
  /** The raw `Retry-After` header: seconds or a date. */
  readonly retryAfter?: string;
}

/** A failure before anything was sent, with the stage it happened in. */
export class StageError extends Error {
  constructor(
    readonly stage: ErrorStage,
    message: string,
  ) {
    super(message);
    this.name = 'StageError';
  }
}
