import type { Received } from '#testing';
import type { Client } from './client';

/** What the system acknowledged, to be held against what the receivers got. */
export class Ledger {
  /** Post ids whose creation was answered with 201. */
  readonly acknowledged: string[] = [];
  /** Asked for and not answered: they may or may not have happened. */
  readonly unanswered: string[] = [];

  /** Issues commands one after the other, with an idempotency key each, through whatever happens, until told to stop. */
  async write(client: Client, accountId: string, name: string, isOver: () => boolean): Promise<void> {
    for (let n = 0; !isOver(); n++) {
      const id = `pst_${name}_${n}`;
      const body = {
        id,
        profileId: 'prof_test',
        content: { text: `Post ${n}` },
        destinations: [{ accountId, platform: 'instagram' }],
        scheduledAt: '2031-01-01T00:00:00Z',
      };
      const isAcknowledged = await this.persist(client, id, body, isOver);
      (isAcknowledged ? this.acknowledged : this.unanswered).push(id);
    }
  }

  /** Tries one command, as a service does, with the same key until an answer comes. */
  private async persist(client: Client, id: string, body: object, isOver: () => boolean): Promise<boolean> {
    for (;;) {
      const answer = await client.post('/posts', body, { headers: { 'idempotency-key': id } }).catch(() => undefined);
      if (answer?.status === 201) return true;
      if (answer && answer.status < 500) throw new Error(`${id} was answered ${answer.status}: ${answer.text}`);
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

/** Sequence numbers 1…n without a gap. */
export function gaps(received: readonly Received[]): number[] {
  const seen = new Set(received.map(({ headers }) => Number(headers['webhook-sequence'])));
  return Array.from({ length: Math.max(0, ...seen) }, (_, n) => n + 1).filter((n) => !seen.has(n));
}
