import type { Sql } from '#postgres';
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
  const rows = await sql.query<{ ordinal: number; sequence: number }>(
    'select * from delivery.intake($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)',
    [
      version,
      worker,
      batch,
      now,
      messages.map(({ position }) => position),
      messages.map(({ index }) => index),
      messages.map(({ createdAt }) => createdAt),
      bodies.map(({ message }) => message + 1),
      bodies.map(({ id }) => id),
      bodies.map(({ body }) => body),
      deliveries.map(({ message }) => message + 1),
      deliveries.map(({ id }) => id),
      deliveries.map(({ endpoint }) => endpoint.no),
      deliveries.map(({ rendered }) => rendered.coreId.slice(4)),
      deliveries.map(({ rendered }) => rendered.id.slice(4)),
      deliveries.map(({ body }) => bodies[body]!.id),
      deliveries.map(({ rendered }) => rendered.type),
      deliveries.map(({ message }) => messages[message]!.key),
      deliveries.map(({ place }) => place),
      deliveries.map(({ coalesce }) => coalesce),
    ],
  );
  if (rows[0]?.ordinal === -1) return 'stale';
  return { sequences: new Map(rows.map(({ ordinal, sequence }) => [ordinal - 1, sequence])) };
}
