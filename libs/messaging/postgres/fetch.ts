import { cutToSize, isFull, type Database } from '#postgres';
import type { ReceivedMessage } from '../port/bus';
import { PARTITIONS } from '../outbox/outbox';
import type { Claim } from './group-member';
import type { RecentMessages } from './recent-messages';

/** One query looks at so many positions at most: a bound on its cost, however few are for this group and whatever the plan. */
export const WINDOW = 2_000;
const NOT_OURS = Number.MAX_SAFE_INTEGER;

/** Messages of the owned partitions in global order, and how far the log was read. */
export interface Stretch {
  readonly messages: ReceivedMessage[];
  readonly claims: ReadonlyMap<number, Claim>;
  /** Every message of the claims' partitions up to here is in this batch or in an earlier one. */
  readonly through: number;
}

/** What a reader remembers of the bus from one look to the next. */
export interface Mark {
  /** No message beyond `position` is older than `at`: lets a fetch leave out the days behind it. */
  readonly position: number;
  readonly at: string;
}
export const BEGINNING: Mark = { position: 0, at: '-infinity' };

/** A stretch that the database has given. */
export interface Fetched extends Stretch {
  readonly head: number;
  readonly mark: Mark;
  readonly incarnation: string | null;
  /** Not all that is there was seen: nothing was read, and another look is needed. */
  readonly isBlind: boolean;
}

interface Row {
  readonly head: number;
  readonly head_at: string;
  readonly is_blind: boolean;
  readonly incarnation: string | null;
  readonly offset: number | null;
  readonly partition: number;
  readonly topic: string;
  readonly key: string;
  readonly id: string;
  readonly type: string;
  readonly headers: string;
  readonly value: string;
  readonly is_cut: boolean;
}

/** The last position that one look looks at. */
const LAST = `least(h.position, $1 + ${WINDOW})`;

// One snapshot for the head, the incarnation and the messages. `$2` prunes the days that are behind. The server plans a statement before it takes
// the snapshot, and hears of a new day after its messages can be seen: then it sees the head but no message of that day, and not the last one.
// That one is looked for once, and by its position: asked with each message whether it exists, the server reads the whole day to know beforehand.
const FETCH = `with seen as materialized (
    select h.position as head, h.at as head_at, i.id as incarnation, ${LAST} > greatest(h.dropped, $1)
      and (select true from bus.message l where l.position = ${LAST} and l.created_at >= $2 limit 1) is null as is_blind
    from bus.head h left join bus.incarnation i on true
  )
  select head, head_at, is_blind, incarnation, "offset", partition, topic, key, id, type, headers, value, is_cut from ${cutToSize(
    `select seen.*, m.* from seen left join lateral (
      select position as offset, partition, topic, key, id, type, headers, value from bus.message
      where position > $1 and position <= $1 + ${WINDOW} and created_at >= $2
        and position > ($3::bigint[])[partition + 1] and topic = any($4)
      order by position limit $5
    ) m on true`,
    'octet_length(r.value)',
  )} r`;

/** Up to here all claims have been fetched. */
export const leastCursor = (claims: ReadonlyMap<number, Claim>): number =>
  Math.min(...[...claims.values()].map(({ cursor }) => cursor));

/** Reads what comes next for these claims and moves their cursors. */
export async function fetchNext(
  db: Database,
  claims: ReadonlyMap<number, Claim>,
  topics: readonly string[],
  limit: number,
  mark: Mark,
): Promise<Fetched> {
  const after = Array.from({ length: PARTITIONS }, (_, partition) => claims.get(partition)?.cursor ?? NOT_OURS);
  const from = leastCursor(claims);
  const rows = await db.query<Row>(FETCH, [from, from >= mark.position ? mark.at : '-infinity', after, topics, limit]);
  const { head, head_at: at, is_blind: isBlind, incarnation } = rows[0]!;
  if (isBlind) return { messages: [], claims, through: from, head, mark, incarnation, isBlind };
  const messages = rows.flatMap((row) => (row.offset === null ? [] : [received(row, row.offset)]));
  const isCut = messages.length > 0 && isFull(rows, limit);
  const through = isCut ? messages.at(-1)!.offset : Math.max(from, Math.min(head, from + WINDOW));
  for (const claim of claims.values()) claim.cursor = Math.max(claim.cursor, through);
  const next = through >= head ? { position: head, at } : mark;
  return { messages, claims, through, head, mark: next, incarnation, isBlind };
}

/** What comes next for these claims, from what this process has published itself and which covers it. Moves their cursors. */
export function takeRecent(
  recent: RecentMessages,
  claims: ReadonlyMap<number, Claim>,
  topics: ReadonlySet<string>,
  limit: number,
): Stretch {
  const from = leastCursor(claims);
  const messages: ReceivedMessage[] = [];
  let through = Math.max(from, recent.newest);
  for (const message of recent.after(from)) {
    if (!topics.has(message.topic) || message.offset <= (claims.get(message.partition)?.cursor ?? NOT_OURS)) continue;
    messages.push(message);
    if (messages.length < limit) continue;
    through = message.offset;
    break;
  }
  for (const claim of claims.values()) claim.cursor = Math.max(claim.cursor, through);
  return { messages, claims, through };
}

function received({ partition, topic, key, id, type, headers, value }: Row, offset: number): ReceivedMessage {
  return { id, type, topic, key, headers: JSON.parse(headers) as Record<string, string>, value, partition, offset };
}
