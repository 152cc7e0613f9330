import { fnv1a } from '#kernel';
import { joinedTexts, OPEN, plainArray, writeFenced, type Sql, type Write } from '#postgres';
import type { BusMessage } from '../port/bus';

/** Partitions of the PostgreSQL bus: the unit that the members of a consumer group share. Fixed, since order per key hangs on it. */
export const PARTITIONS = 12;

/** The partition of a message, from its workspace (`ce_source`) and key: FNV-1a with a final mix, the same for ever. */
export function partitionOf({ headers, key }: Pick<BusMessage, 'headers' | 'key'>): number {
  let hash = fnv1a(`${headers['ce_source'] ?? ''}\n${key}`);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) % PARTITIONS;
}

/** Messages that a committed transaction has put on the bus. */
export interface Published {
  readonly messages: readonly BusMessage[];
  /** Position of the last one; the others stand right before it. */
  readonly last: number;
  /** The life of the server that the positions belong to; '' when nobody has asked yet. */
  readonly incarnation: string;
}

const PUBLISH = 'select bus.publish($1, $2, $3, $4, $5, $6, $7, $8) as answer from fence';

/**
 * Appends messages to the bus: they exist if the statement's transaction commits. Holds the bus's head until then. Once committed, give
 * `publishedOf` its answer, and that to the bus. At least one message.
 */
export function outboxWrite(messages: readonly BusMessage[]): Write {
  const { texts, separator } = joinedTexts(
    messages.map(({ topic }) => topic),
    messages.map(({ key }) => key),
    messages.map(({ id }) => id),
    messages.map(({ type }) => type),
    messages.map(({ headers }) => JSON.stringify(headers)),
    messages.map(({ value }) => value),
  );
  return { text: PUBLISH, params: [plainArray(messages.map(partitionOf)), ...texts, separator], answers: true };
}

/** What the answer of an `outboxWrite` says of its messages. */
export function publishedOf(messages: readonly BusMessage[], answer: string): Published {
  const [last, incarnation = ''] = answer.split(' ');
  return { messages, last: Number(last), incarnation };
}

/** Appends messages, at least one, in the caller's transaction, or in one of their own. */
export async function writeOutbox(sql: Sql, messages: readonly BusMessage[]): Promise<Published> {
  const [answer] = (await writeFenced(sql, OPEN, [outboxWrite(messages)]))!;
  return publishedOf(messages, answer!);
}
