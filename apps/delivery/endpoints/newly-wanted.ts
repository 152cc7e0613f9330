import { pagesAfter, type EventStore } from '#event-store';
import type { Sql } from '#postgres';
import { messagesOf } from '#public-messages';
import type { Rendered } from '#webhook-contracts';
import type { Batch } from '../dispatch/task';
import { Draft, Place } from '../intake/draft';
import { Endpoint, type EndpointRow } from './endpoint';
import type { EndpointChange } from './endpoint-change';
import { eraAt, takes } from './eras';

/** Events of the log that are read at once. */
const PAGE = 1_000;

/**
 * An endpoint's new types, asked for at `after` and learned when the head was `upTo`: what they add to the events between is
 * written from the log, under the exclusive lock. The old and the new have in common what the intake takes anyhow.
 */
export async function insertNewlyWanted(
  { store, now }: { store: EventStore; now: () => string },
  sql: Sql,
  next: EndpointRow,
  before: EndpointRow,
  { position: after, at }: EndpointChange,
  upTo: number,
): Promise<void> {
  const endpoint = new Endpoint(next, () => '');
  const ms = Date.parse(now());
  const there = await alreadyThere(sql, next.no, after, upTo, at);
  for await (const events of pagesAfter(store, next.workspace, { after, upTo, batch: PAGE })) {
    const draft = new Draft(() => ms);
    for (const event of events) {
      for (const message of messagesOf(event)) {
        if (!message.isWebhook) continue;
        const wanted = (_: Endpoint, { type }: Rendered) =>
          takes({ after: 0, enabled: true, all: [next.config.eventTypes] }, type) &&
          !takes(eraAt(before.eras, message.position), type)
            ? next.enabled
              ? 'send'
              : 'discard'
            : 'skip';
        draft.add(message, [{ contract: endpoint.contract, endpoints: [endpoint] }], wanted, () =>
          next.config.ordered ? Place.queue : Place.retry,
        );
      }
    }
    await insertFromLog(
      sql,
      draft.without(
        ({ rendered }) =>
          there.has(`${rendered.coreId.slice(4)} ${rendered.type} ${rendered.index}`) ||
          there.has(rendered.id.slice(4)),
      ),
      now(),
    );
  }
}

/**
 * Ids in the bodies, and events, of deliveries that an intake wrote before it knew of this change: when changes follow each other
 * closely, what a later one adds may have been sent by the types before the earlier.
 */
async function alreadyThere(
  sql: Sql,
  no: number,
  after: number,
  upTo: number,
  at: string,
): Promise<ReadonlySet<string>> {
  const rows = await sql.query<{ message_id: string; event_id: string; type: string }>(
    `select message_id, event_id, type from delivery.delivery
     where endpoint = $1 and position > $2 and position <= $3 and id >= delivery.id_at($4::timestamptz - interval '1 hour')`,
    [no, after, upTo, at],
  );
  return new Set(rows.flatMap(({ message_id, event_id, type }) => [message_id, `${event_id} ${type} 0`]));
}

/** Writes deliveries that the live intake will never write, so the inbox has no say. Returns the sequence number of each. */
export async function insertFromLog(
  sql: Sql,
  { messages, bodies, deliveries }: Draft,
  now: string,
  batch: Batch | null = null,
): Promise<readonly number[]> {
  if (deliveries.length === 0) return [];
  const rows = await sql.query<{ sequence: number }>(
    'select sequence from delivery.backfill($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) order by ordinal',
    [
      batch?.worker ?? null,
      batch?.id ?? null,
      now,
      deliveries[0]!.endpoint.no,
      deliveries.map(({ message }) => messages[message]!.position),
      deliveries.map(({ id }) => id),
      deliveries.map(({ rendered }) => rendered.coreId.slice(4)),
      deliveries.map(({ rendered }) => rendered.id.slice(4)),
      deliveries.map(({ body }) => bodies[body]!.id),
      deliveries.map(({ body }) => bodies[body]!.body),
      deliveries.map(({ rendered }) => rendered.type),
      deliveries.map(({ message }) => messages[message]!.key),
      deliveries.map(({ place }) => place),
      deliveries.map(({ coalesce }) => coalesce),
    ],
  );
  return rows.map(({ sequence }) => sequence);
}
