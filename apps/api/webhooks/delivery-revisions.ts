import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { NO_STREAM, readOwn, streamName } from '#event-store';
import { DAY } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import { deliveryAggregate, type DeliveryEvent } from '#webhooks';
import type { Call } from '../http/call';
import { behind, REVISION_WAIT_MS } from '../reads/things';
import { Commands } from '../commands/commands';
import { lookAgain } from './look-again';

/** The delivery service's own word: it is done when it is said. */
const SAID: DeliveryEvent['type'] = 'DeliveryParked';
/** The newest events that are looked at: what is older than so many others has been heard of. */
const NEWEST = 100;
/** What was asked for before that has been done, if it ever was: what is kept of handled messages ends with the days of deliveries. */
const LONG_AGO_MS = DAY;
const HANDLED =
  "select position from delivery.inbox where position = any($1) and created_at > now() - interval '2 days'";

/**
 * The revision of a delivery as its GET shows it. The log has what people ask for (replay, discard) and that it was parked; the delivery
 * service, whose tables are shown, hears of what was asked for a moment later.
 */
@Injectable()
export class DeliveryRevisions implements OnModuleDestroy {
  private isEnding = false;

  constructor(
    private readonly commands: Commands,
    @Inject(ENGINES) private readonly engines: Engines,
  ) {}

  /**
   * Up to which of its events the delivery service has done what they ask for, `minRevision` at least; NO_STREAM before the first. Throws the
   * Problem READ_MODEL_BEHIND when that does not come in time.
   */
  async seen({ workspace, waitMs = REVISION_WAIT_MS }: Call, id: string, minRevision: number): Promise<number> {
    const seen = await lookAgain(async () => {
      const revision = await this.done(workspace, id, minRevision);
      if (revision >= minRevision) return revision;
      if (this.isEnding) throw behind();
      return undefined;
    }, waitMs);
    if (seen === undefined) throw behind();
    return seen;
  }

  /** Before the server closes: it waits for every open answer. */
  onModuleDestroy(): void {
    this.isEnding = true;
  }

  /** Up to which of its events the delivery service has done what they ask for; where the log has not come to `wanted`, how far that is. */
  private async done(workspace: string, id: string, wanted: number): Promise<number> {
    const { revision } = await this.commands.load(deliveryAggregate, workspace, id);
    if (revision < wanted || revision === NO_STREAM) return revision;
    const stream = streamName(deliveryAggregate.category, workspace, id);
    const events = await readOwn(this.engines.store, stream, Math.max(0, revision + 1 - NEWEST));
    const asked = events.filter(
      ({ type, metadata }) => type !== SAID && Date.parse(metadata.occurredAt) > Date.now() - LONG_AGO_MS,
    );
    if (asked.length === 0) return revision;
    const rows = await this.engines.db.query<{ position: number }>(HANDLED, [asked.map(({ position }) => position)]);
    const handled = new Set(rows.map(({ position }) => position));
    const open = asked.find(({ position }) => !handled.has(position));
    return open ? open.revision - 1 : revision;
  }
}
