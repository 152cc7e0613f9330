import { STATUS_CODES } from 'node:http';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** What is said of a request that gets no further than the edge. */
export type Refusal = readonly [status: number, code: string, detail: string];

/** The problem document of a request that no hook or filter of the app gets to see (RFC 9457, as the api makes its own). */
export function edgeProblem([status, code, detail]: Refusal, correlationId?: string): string {
  const problem = { type: `urn:postledger:problem:${code}`, title: STATUS_CODES[status], status, code, detail };
  const errors = status === 400 ? [{ pointer: '', message: detail }] : undefined;
  return JSON.stringify({ ...problem, errors, correlationId });
}
