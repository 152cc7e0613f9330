import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';

/** HMAC-SHA256 over `<prefix><body>`, without joining the two in memory. */
export const hmac = (key: KeyObject, prefix: string, body: string | Uint8Array, encoding: 'base64' | 'hex'): string =>
  typeof body === 'string'
    ? createHmac('sha256', key)
        .update(prefix + body)
        .digest(encoding)
    : createHmac('sha256', key).update(prefix).update(body).digest(encoding);

/** Whether any given signature is any expected one. Every pair is compared in full, in constant time. */
export function anyEqual(given: readonly string[], expected: readonly string[]): boolean {
  let found = false;
  for (const mine of expected) {
    const right = Buffer.from(mine);
    for (const theirs of given) {
      const left = Buffer.from(theirs);
      if (left.length === right.length && timingSafeEqual(left, right)) found = true;
    }
  }
  return found;
}
