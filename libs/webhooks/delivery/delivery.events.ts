import type { EventSchemas, Message } from '#kernel';

/** What the log says of a delivery; its everyday life is the delivery service's own. */
export type DeliveryEvent =
  | Message<
      'DeliveryParked',
      {
        readonly endpointId: string;
        readonly deliveryId: string;
        readonly eventType: string;
        readonly attempts: number;
      }
    >
  | Message<'DeliveryReplayRequested', { readonly endpointId: string; readonly deliveryId: string }>
  | Message<'DeliveryDiscarded', { readonly endpointId: string; readonly deliveryId: string }>;

export const deliveryEvents: EventSchemas<DeliveryEvent> = {
  DeliveryParked: { version: 1 },
  DeliveryReplayRequested: { version: 1 },
  DeliveryDiscarded: { version: 1 },
};
