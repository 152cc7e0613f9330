import { decider, type Command } from '#kernel';
import type { DeliveryEvent } from './delivery.events';

interface OfDelivery {
  readonly endpointId: string;
  readonly deliveryId: string;
}

export type DeliveryCommand =
  /** `attempts` counts over all ladders, so that parking after a replay is told from the same parking again. */
  | Command<'ParkDelivery', OfDelivery & { readonly eventType: string; readonly attempts: number }>
  | Command<'RequestDeliveryReplay', OfDelivery>
  | Command<'DiscardDelivery', OfDelivery>;

export interface Delivery {
  /** `unmentioned`: the log has nothing to say of it yet. Whether it exists the delivery service knows. */
  readonly status: 'unmentioned' | 'parked' | 'replayed' | 'discarded';
  /** At its last parking; 0 before. */
  readonly attempts: number;
}

export const deliveryDecider = decider<DeliveryCommand, DeliveryEvent, Delivery>({
  initial: { status: 'unmentioned', attempts: 0 },
  decide: {
    ParkDelivery: ({ endpointId, deliveryId, eventType, attempts }, delivery) =>
      attempts <= delivery.attempts
        ? []
        : [{ type: 'DeliveryParked', data: { endpointId, deliveryId, eventType, attempts } }],

    RequestDeliveryReplay: ({ endpointId, deliveryId }) => [
      { type: 'DeliveryReplayRequested', data: { endpointId, deliveryId } },
    ],

    // A replay of the whole endpoint may have woken it since, and that is not in this stream.
    DiscardDelivery: ({ endpointId, deliveryId }) => [{ type: 'DeliveryDiscarded', data: { endpointId, deliveryId } }],
  },
  evolve: {
    DeliveryParked: (_, { attempts }) => ({ status: 'parked', attempts }),
    DeliveryReplayRequested: ({ attempts }) => ({ status: 'replayed', attempts }),
    DeliveryDiscarded: ({ attempts }) => ({ status: 'discarded', attempts }),
  },
});
