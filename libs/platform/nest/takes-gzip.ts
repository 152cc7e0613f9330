import type { IncomingHttpHeaders } from 'node:http';

const NAMED = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i;

/** Whether a client names gzip among what it unpacks, and does not say that it would rather not (`q=0`). */
export const takesGzip = (headers: IncomingHttpHeaders): boolean => NAMED.test(headers['accept-encoding'] ?? '');
