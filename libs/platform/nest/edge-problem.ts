export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** What is refused here and in the app alike: a title is the same at every occurrence of its problem (RFC 9457, 3.1.4). */
export const EDGE_TITLES = {
  VALIDATION_FAILED: 'The request is not well-formed.',
  ROUTE_NOT_FOUND: 'There is nothing at this path.',
  REQUEST_TIMEOUT: 'The request did not arrive in time.',
  URI_TOO_LONG: 'A part of the path is too long.',
  HEADERS_TOO_LARGE: 'The headers of the request are too large.',
  ENGINE_UNAVAILABLE: 'A part that this needs is away for the moment.',
} as const;

/** What is said of a request that gets no further than the edge; `detail` is the title where there is no more to say. */
export type Refusal = readonly [status: number, code: keyof typeof EDGE_TITLES, detail?: string];

/** The problem document of a request that no hook or filter of the app gets to see (RFC 9457, as the api makes its own). */
export function edgeProblem([status, code, said]: Refusal, correlationId?: string): string {
  const title = EDGE_TITLES[code];
  const detail = said ?? title;
  const problem = { type: `urn:postledger:problem:${code}`, title, status, code, detail };
  const errors = status === 400 ? [{ pointer: '', message: detail }] : undefined;
  return JSON.stringify({ ...problem, errors, correlationId });
}
