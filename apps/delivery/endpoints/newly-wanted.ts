import { uuidv7 } from '#kernel';
import type { EventStore } from '#event-store';
import type { Sql } from '#postgres';
import { messagesOf } from '#public-messages';
import { Draft, Place, type DraftDelivery } from '../intake/draft';
import { Endpoint, type EndpointRow } from './endpoint';
import { eraAt, takes } from './eras';

const PAGE = 1_000;

/** The events of the log in (after, upTo] of one workspace, page by page. */
export async function* stretch(store: EventStore, workspace: string, after: number, upTo: number) {
  for (let at = after; at < upTo;) {
    const batch = await store.readAll({ after: at, limit: PAGE, workspace, upTo });
    if (batch.events.length > 0) yield batch.events;
    if (batch.events.length < PAGE) return;
    at = batch.events.at(-1)!.position;
  }
}

/**
 * An endpoint's new types, asked for at `after` and learned when the head was `upTo`: what they add to the events between is
 * written from the log, under the exclusive lock. The old and the new have in common what the intake takes anyhow.
 */
export async function insertNewlyWanted(
  { store, now }: { store: EventStore; now: () => string },
  sql: Sql,
  next: EndpointRow,
  before: EndpointRow,
  after: number,
  upTo: number,
): Promise<void> {
  const endpoint = new Endpoint(next, () => '');
  const ms = Date.parse(now());
  for await (const events of stretch(store, next.workspace, after, upTo)) {
    const draft = new Draft(() => ms);
    for (const event of events) {
      for (const message of messagesOf(event)) {
        if (!message.isWebhook) continue;
        const wanted = (_: Endpoint, type: string) =>
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
    await insertFromLog(sql, draft, uuidv7(), now());
  }
}

/** Writes deliveries that the live intake will never write, so the inbox has no say; each is looked for first. */
export async function insertFromLog(
  sql: Sql,
  { messages, bodies, deliveries }: Draft,
  batch: string,
  now: string,
  worker: string | null = null,
): Promise<Map<number, number>> {
  if (deliveries.length === 0) return new Map();
  const rows = await sql.query<{ ordinal: number; sequence: number }>(
    'select * from delivery.backfill($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)',
    [
      worker,
      batch,
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
      deliveries.map(({ place }: DraftDelivery) => place),
      deliveries.map(({ coalesce }) => coalesce),
    ],
  );
  return new Map(rows.map(({ ordinal, sequence }) => [ordinal - 1, sequence]));
}
