import {
  eventAt,
  NO_STREAM,
  streamName,
  type CommandContext,
  type CommandHandler,
  type EventStore,
  type RecordedEvent,
  type Revision,
} from '#event-store';
import { DomainError, followingUuid, instant, publicEventId, uuidv7, type Clock } from '#kernel';
import type { Logger } from '#platform';
import type { Database, Sql } from '#postgres';
import { deliveryAggregate, endpointAggregate } from '#webhooks';
import { Rounds } from '../worker/rounds';

/** Something that delivery has stated and the log has yet to hear. */
export interface Fact {
  readonly workspace: string;
  readonly endpointId: string;
  readonly kind: 'parked' | 'gone' | 'failing';
  readonly delivery?: { readonly id: string; readonly type: string; readonly attempts: number };
  /** Log position of the newest change of the endpoint that it speaks of: one that came later may have given it another chance. */
  readonly asOf?: number;
}

interface FactRow {
  readonly id: string;
  readonly workspace: string;
  readonly endpoint_id: string;
  readonly kind: Fact['kind'];
  readonly delivery_id: string | null;
  readonly type: string | null;
  readonly attempts: number | null;
  readonly position: number | null;
  readonly at: string;
  readonly as_of: number | null;
}

export interface FactsNeeds {
  readonly db: Database;
  readonly store: EventStore;
  readonly commands: CommandHandler;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onFault: (error: Error) => void;
}

const AT_ONCE = 50;

/** Writes facts down beside what they follow from: in the same transaction, so that none is forgotten. */
export async function writeFacts(sql: Sql, facts: readonly Fact[], now: string): Promise<void> {
  if (facts.length === 0) return;
  await sql.query(
    `insert into delivery.fact (id, workspace, endpoint_id, kind, delivery_id, type, attempts, position, at, due_at, as_of)
     select f.id, f.workspace, f.endpoint_id, f.kind, f.delivery_id, f.type, f.attempts, d.position, $8, $8, f.as_of
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::integer[], $9::bigint[])
       as f (id, workspace, endpoint_id, kind, delivery_id, type, attempts, as_of)
     left join delivery.delivery d on d.id = f.delivery_id`,
    [
      facts.map(() => uuidv7()),
      facts.map(({ workspace }) => workspace),
      facts.map(({ endpointId }) => endpointId),
      facts.map(({ kind }) => kind),
      facts.map(({ delivery }) => delivery?.id ?? null),
      facts.map(({ delivery }) => delivery?.type ?? null),
      facts.map(({ delivery }) => delivery?.attempts ?? null),
      now,
      facts.map(({ asOf }) => asOf ?? null),
    ],
  );
}

/** An endpoint that was enabled, or sent elsewhere, is not the one that failed. */
const isAnotherChance = ({ type, data }: RecordedEvent): boolean =>
  type === 'EndpointEnabled' ||
  (type === 'EndpointUpdated' && Object.hasOwn((data as { changed: object }).changed, 'targetUrl'));

/** Tells the log: each fact becomes a command whose id derives from the fact's, so telling it twice has one effect. */
export class Facts extends Rounds {
  constructor(private readonly needs: FactsNeeds) {
    super(needs.onFault);
  }

  protected override async round(): Promise<void> {
    while (!this.isStopped && (await this.tellSome()) === AT_ONCE);
  }

  private tellSome(): Promise<number> {
    const { db, clock, onFault } = this.needs;
    return db.tx(async (sql) => {
      const rows = await sql.query<FactRow>(
        'select * from delivery.fact where due_at <= $1 order by due_at limit $2 for update skip locked',
        [clock(), AT_ONCE],
      );
      const told: string[] = [];
      const failed: string[] = [];
      await Promise.all(
        rows.map((row) =>
          this.tell(row).then(
            () => told.push(row.id),
            (error: Error) => {
              failed.push(row.id);
              onFault(error);
            },
          ),
        ),
      );
      if (told.length > 0) await sql.query('delete from delivery.fact where id = any($1)', [told]);
      if (failed.length > 0)
        await sql.query(
          "update delivery.fact set tries = tries + 1, due_at = $2::timestamptz + least(60, 2 ^ least(tries, 6)) * interval '1 second' where id = any($1)",
          [failed, clock()],
        );
      return rows.length;
    });
  }

  private async tell(row: FactRow): Promise<void> {
    const { log } = this.needs;
    const context: CommandContext = {
      workspace: row.workspace,
      actor: 'system',
      ...(await this.cause(row)),
      commandId: followingUuid(row.id, 'delivery fact'),
      at: instant(row.at),
      repeatable: true,
    };
    try {
      const isTold = await this.command(row, context);
      log.info(
        {
          endpoint: row.endpoint_id,
          delivery: row.delivery_id && `dlv_${row.delivery_id}`,
          correlationId: context.correlationId,
        },
        `webhook ${row.kind}${isTold ? '' : ', but no longer'}`,
      );
    } catch (error) {
      // The endpoint was deleted or changed in the meantime: nobody is left to be told. One that changes just now is looked at again.
      if (!(error instanceof DomainError) || error.code === 'REVISION_STALE') throw error;
      log.info({ endpoint: row.endpoint_id, code: error.code }, `webhook ${row.kind}, but no longer`);
    }
  }

  /** Whether there was something to tell. */
  private async command(row: FactRow, context: CommandContext): Promise<boolean> {
    const { commands } = this.needs;
    const by = { at: context.at, actor: context.actor };
    switch (row.kind) {
      case 'parked': {
        const deliveryId = `dlv_${row.delivery_id}`;
        const parked = { deliveryId, endpointId: row.endpoint_id, eventType: row.type!, attempts: row.attempts! };
        await commands.handle(deliveryAggregate, deliveryId, { type: 'ParkDelivery', ...parked, ...by }, context);
        return true;
      }
      case 'gone':
      case 'failing': {
        const disable = { type: 'DisableEndpoint', reason: row.kind, ...by } as const;
        const expected = await this.revisionOfWhatFailed(row);
        if (expected === 'another') return false;
        await commands.handle(endpointAggregate, row.endpoint_id, disable, context, { expected });
        return true;
      }
    }
  }

  /** The revision of the endpoint that the fact speaks of, or that it was given another chance since. */
  private async revisionOfWhatFailed({
    workspace,
    endpoint_id: id,
    as_of: asOf,
  }: FactRow): Promise<Revision | 'another'> {
    const events = await this.needs.store.read(streamName(endpointAggregate.category, workspace, id));
    if (asOf !== null && events.some((event) => event.position > asOf && isAnotherChance(event))) return 'another';
    return events.at(-1)?.revision ?? NO_STREAM;
  }

  /** What follows from a delivery belongs to the correlation of its event. */
  private async cause({ id, position }: FactRow): Promise<{ correlationId: string; causationId: string | null }> {
    if (position !== null) {
      const event = await eventAt(this.needs.store, position);
      if (event) return { correlationId: event.metadata.correlationId, causationId: publicEventId(event.id) };
    }
    return { correlationId: id, causationId: null };
  }
}
