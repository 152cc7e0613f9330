import { arrayOrNull, joinedTexts, plainArray, plainArrayOrNull, type Sql } from '#postgres';
import type { Batch } from '../dispatch/task';
import { Place, type Draft, type DraftDelivery } from './draft';

/**
 * Writes a draft with its lease in one statement, or nothing: `stale` when the endpoints of these workspaces have changed since `version`, `known`
 * when one of the messages came before. Returns the sequence number of each delivery.
 */
export async function writeDraft(
  sql: Sql,
  draft: Draft,
  { version, workspaces, batch, now }: { version: number; workspaces: readonly string[]; batch: Batch; now: string },
): Promise<readonly number[] | 'stale' | 'known'> {
  const { messages, bodies, deliveries } = draft;
  const { endpoints, counts, ordinals, nths } = numbered(deliveries);
  const types = [...new Set(deliveries.map(({ rendered }) => rendered.type))];
  const { texts, separator } = joinedTexts(
    bodies.map(({ body }) => body),
    types,
    deliveries.map(({ message }) => messages[message]!.key),
  );
  const [row] = await sql.query<{ answer: 'stale' | 'known' | 'taken'; bases: string[] }>(INTAKE, [
    version,
    batch.worker,
    batch.id,
    now,
    plainArray(messages.map(({ position }) => position)),
    plainArray(messages.map(({ index }) => index)),
    plainArray(messages.map(({ createdAt }) => createdAt)),
    plainArray(messages.map(({ id }) => id.slice(4))),
    plainArray(bodies.map(({ id }) => id)),
    texts[0],
    plainArray(endpoints),
    plainArray(counts),
    texts[1],
    plainArray(deliveries.map(({ id }) => id)),
    plainArray(deliveries.map(({ message }) => message + 1)),
    plainArray(deliveries.map(({ body }) => body + 1)),
    plainArray(ordinals.map((ordinal) => ordinal + 1)),
    plainArray(nths),
    plainArray(deliveries.map(({ rendered }) => types.indexOf(rendered.type) + 1)),
    texts[2],
    plainArrayOrNull(deliveries.map(({ rendered }) => (rendered.id === rendered.coreId ? null : rendered.id.slice(4)))),
    deliveries.every(({ place }) => place === Place.memory) ? null : plainArray(deliveries.map(({ place }) => place)),
    arrayOrNull(deliveries.map(({ coalesce }) => coalesce)),
    separator,
    workspaces,
  ]);
  if (row!.answer !== 'taken') return row!.answer;
  const bases = row!.bases.map(Number);
  return ordinals.map((ordinal, at) => bases[ordinal]! + nths[at]!);
}

const INTAKE = `select * from delivery.intake(coalesce(delivery.current_version($1, $25), -1), $2, $3, $4, $5, $6, $7, $8, $9, string_to_array($10, $24), $11, $12,
  string_to_array($13, $24), $14, $15, $16, $17, $18, $19, string_to_array($20, $24), $21, $22, $23)`;

interface Numbered {
  /** Rising: whoever takes numbers of several locks them in this order. */
  readonly endpoints: readonly number[];
  /** How many deliveries each endpoint has. */
  readonly counts: readonly number[];
  /** Of each delivery: its endpoint's place in the lists above, and which of that endpoint's it is, from 1. */
  readonly ordinals: readonly number[];
  readonly nths: readonly number[];
}

function numbered(deliveries: readonly DraftDelivery[]): Numbered {
  const endpoints = [...new Set(deliveries.map(({ endpoint }) => endpoint.no))].sort((a, b) => a - b);
  const placeOf = new Map(endpoints.map((no, place) => [no, place]));
  const counts = endpoints.map(() => 0);
  const ordinals = deliveries.map(({ endpoint }) => placeOf.get(endpoint.no)!);
  const nths = ordinals.map((ordinal) => ++counts[ordinal]!);
  return { endpoints, counts, ordinals, nths };
}
