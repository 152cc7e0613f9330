import { Inject, Injectable } from '@nestjs/common';
import type { Handled } from '#event-store';
import { ENGINES, type Engines } from '#platform';
import { DeliveriesQuery } from '#read-models';
import { lookAgain } from './look-again';

/** How long the answer to a change waits for the delivery service. */
const WAIT_MS = 1_000;

/**
 * Delivery hears of an endpoint's changes by the bus, beside the events that they are about. A change is answered when it has: what
 * happens after the answer goes by it, and to an `ordered` endpoint in the order of the log.
 */
@Injectable()
export class KnownToDelivery {
  private readonly deliveries: DeliveriesQuery;

  constructor(@Inject(ENGINES) private readonly engines: Engines) {
    this.deliveries = new DeliveriesQuery(engines.db);
  }

  /** Resolves once delivery goes by what this command appended; after a second, or when nobody delivers, without that. */
  async changed(workspace: string, endpointId: string, { events, position }: Handled<unknown>): Promise<void> {
    if (events.length === 0 || !(await this.isSomebodyThere())) return;
    await lookAgain(async () => (await this.deliveries.knows(workspace, endpointId, position)) || undefined, WAIT_MS);
  }

  /** A delivery process that has not been heard of for five seconds is taken for dead by the others too. */
  private async isSomebodyThere(): Promise<boolean> {
    const beating = await this.engines.db.query(
      "select from delivery.worker where beat_at > clock_timestamp() - interval '5 s' limit 1",
    );
    return beating.length > 0;
  }
}
