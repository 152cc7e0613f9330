import { eventAt, eventsAfter, type RecordedEvent } from '#event-store';
import { Recent, uuidIn } from '#kernel';
import type { Engines } from '#platform';
import { messagesOf } from '#public-messages';
import { fail } from '../webhooks/webhooks.errors';

/** Where a message stands: the position of its event, and its index among the event's messages. */
export interface Place {
  readonly position: number;
  readonly index: number;
}

const REMEMBERED = 40_000;
const BATCH = 500;
/** Characters of a UUIDv7 that tell its time. */
const MILLISECOND = 13;
/** Events of one workspace and millisecond that are looked through. */
const IN_A_MILLISECOND = 1_000;
const OF_A_TIME =
  'select position from read.audit where workspace = $1 and event_id between $2 and $3 order by event_id limit $4';

/** Finds the place of a message by its id: in memory what this process told, else in the audit log, the outbox, and the log. */
export class EventPlaces {
  private readonly told = new Recent<string, Place>(REMEMBERED);

  constructor(private readonly engines: Pick<Engines, 'db' | 'store'>) {}

  remember(workspace: string, id: string, place: Place): void {
    this.told.set(`${workspace}\n${id}`, place);
  }

  /** Throws EVENT_UNKNOWN (422) when the workspace has no such message. */
  async find(workspace: string, id: string): Promise<Place> {
    const told = this.told.get(`${workspace}\n${id}`);
    if (told) return told;
    const uuid = uuidIn('evt', id);
    const place = uuid && (await this.look(workspace, uuid, id));
    if (!place) throw fail('EVENT_UNKNOWN', `There is no event ${uuid ? id : 'of that id'}.`);
    return place;
  }

  private async look(workspace: string, uuid: string, id: string): Promise<Place | undefined> {
    // First how far they are: what either takes in after it was asked is found in the log.
    const [passed] = await this.engines.db.query<{ position: number | null }>(
      "select min(position) as position from projector.checkpoint where name in ('audit', 'outbox') and status = 'current'",
    );
    return (
      (await this.inAudit(workspace, uuid)) ??
      (await this.inOutbox(workspace, id)) ??
      (await this.besideItsEvent(workspace, uuid, id)) ??
      (await this.inLog(workspace, id, passed?.position ?? 0))
    );
  }

  private async inAudit(workspace: string, uuid: string): Promise<Place | undefined> {
    const [row] = await this.engines.db
      .inWorkspace(workspace)
      .query<{ position: number }>('select position from read.audit where workspace = $1 and event_id = $2 limit 1', [
        workspace,
        uuid,
      ]);
    return row && { position: row.position, index: 0 };
  }

  /** An event's further messages have ids of their own. The outbox is of all workspaces: it says in its headers whose a message is. */
  private async inOutbox(workspace: string, id: string): Promise<Place | undefined> {
    const [row] = await this.engines.db.query<{ place: string }>(
      "select headers::json ->> 'postledger-position' as place from bus.message where id = $1 and headers::json ->> 'ce_source' = $2 limit 1",
      [id, `urn:postledger:workspace:${workspace}`],
    );
    const [position, index] = (row?.place ?? '').split('.').map(Number);
    return row && { position: position!, index: index! };
  }

  /** The outbox forgets after days; but an id that follows from an event's has the same millisecond in it. */
  private async besideItsEvent(workspace: string, uuid: string, id: string): Promise<Place | undefined> {
    const millisecond = uuid.slice(0, MILLISECOND);
    const rows = await this.engines.db
      .inWorkspace(workspace)
      .query<{ position: number }>(OF_A_TIME, [
        workspace,
        `${millisecond}-0000-0000-000000000000`,
        `${millisecond}-ffff-ffff-ffffffffffff`,
        IN_A_MILLISECOND,
      ]);
    for (const { position } of rows) {
      const event = await eventAt(this.engines.store, position, workspace);
      const place = event && placeIn(event, id);
      if (place) return place;
    }
    return undefined;
  }

  private async inLog(workspace: string, id: string, passed: number): Promise<Place | undefined> {
    for await (const event of eventsAfter(this.engines.store, workspace, { after: passed, batch: BATCH })) {
      const place = placeIn(event, id);
      if (place) return place;
    }
    return undefined;
  }
}

/** The place of a message among those of an event, if it is one of them. */
function placeIn(event: RecordedEvent, id: string): Place | undefined {
  const message = messagesOf(event).find((each) => each.id === id);
  return message && { position: event.position, index: message.index };
}
