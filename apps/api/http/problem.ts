import { DomainError, type ErrorKind } from '#kernel';
import { EDGE_TITLES, isEngineOutage } from '#platform';

/** What the edge itself refuses, with its status; the domain's errors are in the catalogues of its aggregates. */
export const edgeErrors = {
  VALIDATION_FAILED: [400, EDGE_TITLES.VALIDATION_FAILED],
  UNAUTHORIZED: [401, 'A valid API key is needed: Authorization: Bearer <key>.'],
  SCOPE_MISSING: [403, 'The API key lacks the scope that this needs.'],
  ROUTE_NOT_FOUND: [404, EDGE_TITLES.ROUTE_NOT_FOUND],
  METHOD_NOT_ALLOWED: [405, 'This path does not answer to this method.'],
  REQUEST_TIMEOUT: [408, EDGE_TITLES.REQUEST_TIMEOUT],
  IDEMPOTENCY_KEY_IN_USE: [409, 'A request with this Idempotency-Key is still being worked on.'],
  BODY_TOO_LARGE: [413, 'The body is larger than 256 KiB.'],
  URI_TOO_LONG: [414, EDGE_TITLES.URI_TOO_LONG],
  UNSUPPORTED_MEDIA_TYPE: [415, 'Bodies are application/json in UTF-8, without a content encoding.'],
  IDEMPOTENCY_KEY_REUSED: [422, 'This Idempotency-Key was used for another request.'],
  RATE_LIMITED: [429, 'The API key has used up its requests for now.'],
  HEADERS_TOO_LARGE: [431, EDGE_TITLES.HEADERS_TOO_LARGE],
  INTERNAL_ERROR: [500, 'Something went wrong on our side.'],
  ENGINE_UNAVAILABLE: [503, EDGE_TITLES.ENGINE_UNAVAILABLE],
  READ_MODEL_BEHIND: [504, 'The read model has not seen that revision yet.'],
  DISCARD_NOT_CONFIRMED: [
    504,
    'The delivery service has not discarded it yet: it will, unless it is sent before that.',
  ],
} as const satisfies Record<string, readonly [status: number, title: string]>;
export type EdgeErrorCode = keyof typeof edgeErrors;

/** One wrong place of the input; `pointer` is a plain JSON pointer into the body, or `/name` of a query parameter. */
export interface InputError {
  readonly pointer: string;
  readonly message: string;
}

/** An error as it leaves: RFC 9457 with a stable `code`. */
export class Problem extends Error {
  override name = 'Problem';
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string = title,
    readonly extra: Readonly<Record<string, unknown>> = {},
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(`${code}: ${detail}`);
  }

  /** The `application/problem+json` document. */
  body(correlationId?: string): Record<string, unknown> {
    const { status, code, title, detail, extra } = this;
    return {
      type: `urn:postledger:problem:${code}`,
      title,
      status,
      code,
      detail,
      ...extra,
      ...(correlationId && { correlationId }),
    };
  }
}

interface ProblemOptions {
  readonly detail?: string;
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A problem of the edge's own catalogue. */
export const problem = (code: EdgeErrorCode, { detail, extra, headers }: ProblemOptions = {}): Problem =>
  new Problem(edgeErrors[code][0], code, edgeErrors[code][1], detail, extra, headers);

/** A body may be wrong in tens of thousands of places, and what is said of each is longer than the place. */
const MOST_TOLD = 100;

/** 400 with the places that are wrong, of many the first hundred. */
export function invalid(...all: InputError[]): Problem {
  const errors = all.slice(0, MOST_TOLD);
  const sentences = errors.map(({ pointer, message }) => `${pointer || 'body'}: ${message}`);
  if (all.length > errors.length) sentences.push(`and ${all.length - errors.length} more`);
  return problem('VALIDATION_FAILED', { detail: sentences.join('; '), extra: { errors } });
}

/** The one mapping of the domain's noes to HTTP. */
export const STATUS_OF: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  'not-found': 404,
  conflict: 409,
  stale: 412,
  refused: 422,
};

const AWAY_SECONDS = '1';

/** Any error as a problem; what we do not know is a 500 that tells nothing. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DomainError)
    return new Problem(STATUS_OF[error.kind], error.code, error.title, error.detail, error.extra);
  if (isEngineOutage(error) || isUnbuilt(error))
    return problem('ENGINE_UNAVAILABLE', { headers: { 'retry-after': AWAY_SECONDS } });
  return ofStatus(statusOf(error));
}

/** SQLSTATEs of a table or schema that is still to be made, and of a column that a view lacks until it is built anew. */
const TO_BE_MADE = ['42P01', '3F000', '42703'];

/** Whether PostgreSQL lacks what a projector that has not run yet will make. */
export const isUnbuilt = (error: unknown): boolean =>
  TO_BE_MADE.includes((error as { code?: string } | undefined)?.code ?? '');

/** The status that Nest or Fastify gave an error of their own. */
function statusOf(error: unknown): number {
  const { status, statusCode, getStatus } = (error ?? {}) as {
    status?: unknown;
    statusCode?: unknown;
    getStatus?: () => number;
  };
  const found = typeof getStatus === 'function' ? getStatus.call(error) : (statusCode ?? status);
  return typeof found === 'number' ? found : 500;
}

function ofStatus(status: number): Problem {
  const code = (Object.keys(edgeErrors) as EdgeErrorCode[]).find((each) => edgeErrors[each][0] === status);
  if (code === 'VALIDATION_FAILED') return invalid({ pointer: '', message: 'the request cannot be read' });
  return problem(code ?? (status < 500 ? 'VALIDATION_FAILED' : 'INTERNAL_ERROR'));
}
