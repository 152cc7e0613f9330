import { createHmac } from 'node:crypto';
import type { Received } from '#testing';

/** The signature of Standard Webhooks, from its specification: base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`. */
export const standardSignature = (secret: string, id: string, timestamp: string, body: string): string =>
  `v1,${createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
    .update(`${id}.${timestamp}.${body}`)
    .digest('base64')}`;

/** The signature of Post-EZ, from its page: hex of HMAC-SHA256 over `<t>.<body>`, the key being the secret as shown. */
export const postEzSignature = (secret: string, timestamp: string, body: string): string =>
  `v1=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;

/** What is wrong with a request signed with exactly these secrets; empty when it is as it should be. */
export function wrongs({ headers, body }: Pick<Received, 'headers' | 'body'>, ...secrets: string[]): string[] {
  const postEz = headers['x-postez-signature'] as string | undefined;
  const [time, ...given] = postEz
    ? [/^t=(\d+),/.exec(postEz)?.[1] ?? '', ...postEz.split(',').slice(1)]
    : [String(headers['webhook-timestamp']), ...String(headers['webhook-signature']).split(' ')];
  const wanted = secrets.map((secret) =>
    postEz ? postEzSignature(secret, time, body) : standardSignature(secret, String(headers['webhook-id']), time, body),
  );
  const age = Math.abs(Date.now() / 1000 - Number(time));
  return [
    ...([...given].sort().join() === [...wanted].sort().join() ? [] : [`signed ${given.join()}, not ${wanted.join()}`]),
    ...(age < 120 ? [] : [`signed ${age} s off`]),
  ];
}

export type Data = Record<string, unknown>;

/** An answer or a message, with the type of each field that these specs go into; which of them are there is for the test to say. */
export interface Body extends Data {
  readonly type: string;
  readonly event: string;
  readonly data: Data;
  readonly payload: Data;
  readonly createdAt: string;
  readonly nextAttemptAt: string;
  readonly body: string;
  readonly headers: Record<string, string>;
  readonly errors: readonly { pointer: string }[];
  readonly attempts: readonly {
    number: number;
    at: string;
    durationMs: number;
    statusCode?: number;
    response?: string;
  }[];
  readonly types: readonly string[];
  readonly example: Body;
  readonly schema: { required: readonly string[] };
  readonly state: Data;
  readonly position: number;
}
