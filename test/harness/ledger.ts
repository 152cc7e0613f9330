import { eventually, type Received } from '#testing';
import type { Client } from './client';

/** What the system acknowledged, to be held against what the receivers got. */
export class Ledger {
  /** Post ids whose creation was answered with 201. */
  readonly acknowledged: string[] = [];
  /** Asked for and not answered: they may or may not have happened. */
  readonly unanswered: string[] = [];

  /** Of those, the ones whose cancelling was answered with 200. */
  readonly cancelled: string[] = [];

  /**
   * Issues commands one after the other, with an idempotency key each, through whatever happens, until told to stop.
   * With `cancels` every post is cancelled as soon as it is acknowledged.
   */
  async write(
    client: Client,
    accountId: string,
    name: string,
    isOver: () => boolean,
    { cancels = false } = {},
  ): Promise<void> {
    for (let n = 0; !isOver(); n++) {
      const id = `pst_${name}_${n}`;
      const body = {
        id,
        profileId: 'prof_test',
        content: { text: `Post ${n}` },
        destinations: [{ accountId, platform: 'instagram' }],
        scheduledAt: '2031-01-01T00:00:00Z',
      };
      const isAcknowledged = await this.persist(client, '/posts', id, body, isOver);
      (isAcknowledged ? this.acknowledged : this.unanswered).push(id);
      if (!cancels || !isAcknowledged) continue;
      if (await this.persist(client, `/posts/${id}/cancel`, `cancel ${id}`, {}, isOver)) this.cancelled.push(id);
    }
  }

  /** Tries one command, as a service does, with the same key until an answer comes. */
  private async persist(
    client: Client,
    path: string,
    key: string,
    body: object,
    isOver: () => boolean,
  ): Promise<boolean> {
    for (;;) {
      const answer = await client.post(path, body, { headers: { 'idempotency-key': key } }).catch(() => undefined);
      if (answer?.status === 201 || answer?.status === 200) return true;
      if (answer && answer.status < 500) throw new Error(`${key} was answered ${answer.status}: ${answer.text}`);
      if (isOver()) return false;
      await new Promise((again) => setTimeout(again, 50));
    }
  }
}

/** Which acknowledged posts have no `post.scheduled` among what came; which message ids came for one post more than one. */
export function compare(
  ledger: Ledger,
  received: readonly Received[],
): { missing: string[]; manyIds: string[]; changedBytes: string[] } {
  const ids = new Map<string, Set<string>>();
  const bytes = new Map<string, Set<string>>();
  for (const { body } of received) {
    const message = JSON.parse(body) as { id: string; type: string; data: { postId?: string } };
    if (message.type !== 'post.scheduled') continue;
    const post = message.data.postId!;
    ids.set(post, (ids.get(post) ?? new Set()).add(message.id));
    bytes.set(message.id, (bytes.get(message.id) ?? new Set()).add(body));
  }
  return {
    missing: ledger.acknowledged.filter((id) => !ids.has(id)),
    manyIds: [...ids].filter(([, all]) => all.size > 1).map(([id]) => id),
    changedBytes: [...bytes].filter(([, all]) => all.size > 1).map(([id]) => id),
  };
}

/** Cancelled posts whose `post.cancelled` did not come, or has not a greater sequence number than their `post.scheduled`. */
export function disorder(ledger: Ledger, received: readonly Received[]): string[] {
  const places = new Map<string, number>();
  for (const { body, headers } of received) {
    const { type, data } = JSON.parse(body) as { type: string; data: { postId: string } };
    places.set(`${type} ${data.postId}`, Number(headers['webhook-sequence']));
  }
  return ledger.cancelled.filter((id) => !(places.get(`post.cancelled ${id}`)! > places.get(`post.scheduled ${id}`)!));
}

/** Sequence numbers 1…n without a gap. */
export function gaps(received: readonly Received[]): number[] {
  const seen = new Set(received.map(({ headers }) => Number(headers['webhook-sequence'])));
  return Array.from({ length: Math.max(0, ...seen) }, (_, n) => n + 1).filter((n) => !seen.has(n));
}

/**
 * The end of every story in which something was struck: what was acknowledged has come, under one id, in the same bytes
 * each time and without a gap in the numbers; where posts were cancelled also in order.
 */
export async function expectNothingLost(ledger: Ledger, received: () => readonly Received[]): Promise<void> {
  await eventually(() => expect(compare(ledger, received()).missing).toEqual([]), { within: 120_000, every: 200 });
  await eventually(() => expect(disorder(ledger, received())).toEqual([]), { within: 60_000, every: 200 });
  await eventually(() => expect(gaps(received())).toEqual([]), { within: 60_000, every: 200 });
  const { manyIds, changedBytes } = compare(ledger, received());
  expect({ manyIds, changedBytes }).toEqual({ manyIds: [], changedBytes: [] });
}
