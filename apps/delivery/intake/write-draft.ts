import { arrayOrNull, joinedTexts, plainArray, type Sql } from '#postgres';
import type { Draft } from './draft';

export interface Written {
  /** Accepted deliveries by their place in the draft, with their sequence numbers; the others came a second time. */
  readonly sequences: ReadonlyMap<number, number>;
}

/** Writes a draft with its lease in one statement, or nothing: `stale` when the endpoints have changed since `version`. */
export async function writeDraft(
  sql: Sql,
  draft: Draft,
  { version, worker, batch, now }: { version: number; worker: string; batch: string; now: string },
): Promise<Written | 'stale'> {
  const { messages, bodies, deliveries } = draft;
  const { texts, separator } = joinedTexts(
    bodies.map(({ body }) => body),
    deliveries.map(({ rendered }) => rendered.type),
    deliveries.map(({ message }) => messages[message]!.key),
  );
  const rows = await sql.query<{ ordinal: number; sequence: number }>(INTAKE, [
    version,
    worker,
    batch,
    now,
    plainArray(messages.map(({ position }) => position)),
    plainArray(messages.map(({ index }) => index)),
    plainArray(messages.map(({ createdAt }) => createdAt)),
    plainArray(bodies.map(({ message }) => message + 1)),
    plainArray(bodies.map(({ id }) => id)),
    texts[0],
    plainArray(deliveries.map(({ message }) => message + 1)),
    plainArray(deliveries.map(({ id }) => id)),
    plainArray(deliveries.map(({ endpoint }) => endpoint.no)),
    plainArray(deliveries.map(({ rendered }) => rendered.coreId.slice(4))),
    plainArray(deliveries.map(({ rendered }) => rendered.id.slice(4))),
    plainArray(deliveries.map(({ body }) => bodies[body]!.id)),
    texts[1],
    texts[2],
    plainArray(deliveries.map(({ place }) => place)),
    arrayOrNull(deliveries.map(({ coalesce }) => coalesce)),
    separator,
  ]);
  if (rows[0]?.ordinal === -1) return 'stale';
  return { sequences: new Map(rows.map(({ ordinal, sequence }) => [ordinal - 1, sequence])) };
}

const INTAKE = `select * from delivery.intake($1, $2, $3, $4, $5, $6, $7, $8, $9, string_to_array($10, $21),
  $11, $12, $13, $14, $15, $16, string_to_array($17, $21), string_to_array($18, $21), $19, $20)`;
