import { publicEventId } from '#kernel';
import { planned, type Sql } from '#postgres';
import { cursorAt, idIn } from '../deliveries/deliveries.query';
import type { Page, PageOptions } from '../keyed/cursor';

/** A webhook that went out with personal data in it. */
export interface SentView {
  readonly deliveryId: string;
  readonly endpointId: string;
  readonly eventId: string;
  /** The contract's own word. */
  readonly type: string;
  /** When its receiver answered for the first time. */
  readonly deliveredAt: string;
}

/** What is known of subjects from the audit log and the deliveries, whose stored bodies are sealed too. */
export class SubjectsQuery {
  constructor(private readonly sql: Sql) {}

  /** How many events hold personal data of these subjects, erased or not. */
  async events(workspace: string, subjects: readonly string[]): Promise<number> {
    const [row] = await this.sql.query<{ events: number }>(
      'select count(*) as events from read.audit where workspace = $1 and subject = any($2)',
      [workspace, subjects],
    );
    return row!.events;
  }

  /**
   * Deliveries that a receiver got with personal data of these subjects in them, before it was erased, newest first, as far as deliveries are
   * kept. A walk through the deliveries since the first of those events (less an hour, by which clocks may differ): for somebody who erases, not for every day.
   */
  async sent(workspace: string, subjects: readonly string[], { limit, cursor }: PageOptions): Promise<Page<SentView>> {
    const [held] = await this.sql.query<{ events: string[]; since: string | null }>(
      "select coalesce(array_agg(event_id), '{}') as events, min(at) - interval '1 hour' as since from read.audit where workspace = $1 and subject = any($2)",
      [workspace, subjects],
    );
    const { events, since } = held!;
    if (since === null) return { data: [], nextCursor: null };
    const marks = subjects.map((subject) => `{"$sealed":"${subject}.`);
    const params: unknown[] = [workspace, events, marks, limit + 1, since];
    const after = cursor === undefined ? '' : `and d.id < $${params.push(idIn(cursor))}::uuid`;
    const rows = await this.sql.query<SentRow>(
      // The events as values, so that the server knows how many they are: by old statistics it took a hundred thousand for one, and compared each
      // with every delivery.
      planned(`select d.id, e.id as endpoint_id, d.event_id, d.type, s.at
       from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint join unnest($2::uuid[]) held (event_id) on held.event_id = d.event_id
       cross join lateral (
         select min(a.at) as at from delivery.attempt a where a.delivery_id = d.id and (a.ok or a.status_code is not null) and a.erased is not true
       ) s
       where e.workspace = $1 and d.id >= delivery.id_at($5) ${after}
         and s.at is not null
         and exists (
           select from delivery.body b cross join unnest($3::text[]) p (mark) where b.id = d.body_id and position(p.mark in b.body) > 0
         )
       order by d.id desc limit $4`),
      params,
    );
    const page = rows.slice(0, limit);
    return {
      data: page.map(({ id, endpoint_id: endpointId, event_id, type, at }) => ({
        deliveryId: `dlv_${id}`,
        endpointId,
        eventId: publicEventId(event_id),
        type,
        deliveredAt: at,
      })),
      nextCursor: rows.length > limit ? cursorAt(page.at(-1)!.id) : null,
    };
  }
}

interface SentRow {
  readonly id: string;
  readonly endpoint_id: string;
  readonly event_id: string;
  readonly type: string;
  readonly at: string;
}
