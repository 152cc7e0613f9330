import { idPattern } from '#kernel';
import { CORRELATION_ID } from '#platform';
import { errorCodes } from '../http/error-codes';
import { IDEMPOTENCY_KEY } from '../http/headers';
import { list, object, text, whole, type Schema } from './schema';

type Json = Record<string, unknown>;

/** An operation as Nest describes it, with our own marks still on it. */
export interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
  readonly parameters?: readonly Json[];
  readonly requestBody?: Json;
  readonly 'x-errors'?: readonly string[];
  readonly 'x-kind'?: 'read' | 'write';
  readonly 'x-tagged'?: boolean;
  readonly 'x-scope'?: string;
}

const header = (name: string, description: string, schema: Schema = text): Json => ({
  name,
  in: 'header',
  required: false,
  description,
  schema,
});

const parameters: Readonly<Record<string, Json>> = {
  correlationId: header('X-Correlation-Id', 'Kept on every event that follows, and echoed', {
    type: 'string',
    pattern: CORRELATION_ID.source,
  }),
  traceparent: header('traceparent', 'W3C Trace Context; the same use'),
  actor: header('X-Actor', 'The person a service acts for', { type: 'string', pattern: idPattern('usr').source }),
  idempotencyKey: header(
    'Idempotency-Key',
    'The same key, method, path and body within 24 hours: the same answer, one effect',
    { type: 'string', pattern: IDEMPOTENCY_KEY.source },
  ),
  ifMatch: header('If-Match', 'The revision the thing must be at'),
  prefer: header(
    'Prefer',
    '`wait=<seconds>`, at most 30: how long to wait for minRevision (5 unless said otherwise), and a list or the audit log for what this process wrote (1)',
  ),
};

const headers: Readonly<Record<string, Json>> = {
  correlationId: { description: 'What the request belongs to', schema: text },
  etag: { description: "The thing's revision", schema: text },
  rateLimit: { description: 'What is left of the window; only for keys of kind client', schema: text },
  retryAfter: { description: 'Seconds after which to try again', schema: whole },
};

const inputError = object({ pointer: text, message: text });
const problem: Schema = {
  type: 'object',
  description: 'RFC 9457',
  properties: {
    type: text,
    title: text,
    status: whole,
    code: text,
    detail: text,
    correlationId: text,
    errors: list(inputError),
    scope: { ...text, description: 'SCOPE_MISSING: the scope that is needed' },
    reason: { ...text, description: 'TARGET_REFUSED: why' },
    contracts: { ...list(text), description: 'CONTRACT_UNKNOWN: those there are' },
    unknown: { ...list(text), description: 'EVENT_TYPE_UNKNOWN: those that the contract lacks' },
    types: { ...list(text), description: 'EVENT_TYPE_UNKNOWN: those that it has' },
  },
  required: ['type', 'title', 'status', 'code', 'detail'],
};

/** What many operations refer to. */
export const sharedComponents = () => ({ parameters, headers, schemas: { Problem: problem } });

const parameter = (name: keyof typeof parameters): Json => ({ $ref: `#/components/parameters/${name}` });
const headerRef = (name: keyof typeof headers): Json => ({ $ref: `#/components/headers/${name}` });

/** The headers that every request of its kind may carry. */
export function parametersOf(kind: 'read' | 'write', tagged: boolean): Json[] {
  const common = [parameter('correlationId'), parameter('traceparent')];
  if (kind === 'read') return [...common, parameter('prefer')];
  return [...common, parameter('actor'), parameter('idempotencyKey'), ...(tagged ? [parameter('ifMatch')] : [])];
}

/** The headers of an answer; `tagged`: of one that carries the revision of what it shows, or has ended. */
export const responseHeaders = (tagged: boolean): Json => ({
  'X-Correlation-Id': headerRef('correlationId'),
  RateLimit: headerRef('rateLimit'),
  ...(tagged && { ETag: headerRef('etag') }),
});

const ALWAYS = [
  'VALIDATION_FAILED',
  'UNAUTHORIZED',
  'SCOPE_MISSING',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'ENGINE_UNAVAILABLE',
];
const OF_WRITES = ['BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'IDEMPOTENCY_KEY_IN_USE', 'IDEMPOTENCY_KEY_REUSED'];
const WITH_RETRY_AFTER = new Set([429, 503, 504]);

/** Every refusal of an operation, by status; each names its codes. */
export function errorResponses(own: readonly string[], kind: 'read' | 'write', tagged: boolean): Json {
  const codes = [
    ...own,
    ...(kind === 'write' ? OF_WRITES : []),
    ...(kind === 'write' && tagged ? ['REVISION_STALE'] : []),
    ...ALWAYS,
  ];
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const known = errorCodes.get(code);
    if (!known) throw new Error(`A route names the error ${code}, which is in no catalogue`);
    byStatus.set(known.status, [...(byStatus.get(known.status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus]
      .sort(([one], [other]) => one - other)
      .map(([status, named]) => [String(status), response(status, named)]),
  );
}

const response = (status: number, codes: readonly string[]): Json => ({
  description: codes.map((code) => `\`${code}\`: ${errorCodes.get(code)!.title}`).join(' '),
  ...(WITH_RETRY_AFTER.has(status) && { headers: { 'Retry-After': headerRef('retryAfter') } }),
  content: {
    'application/problem+json': {
      schema: {
        allOf: [
          { $ref: '#/components/schemas/Problem' },
          { properties: { status: { const: status }, code: { enum: [...new Set(codes)] } } },
        ],
      },
    },
  },
});
