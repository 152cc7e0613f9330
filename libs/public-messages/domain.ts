import { accountEvents, type AccountEvent } from '#accounts';
import { upcastBy, type RecordedEvent } from '#event-store';
import type { EventSchema, EventSchemas } from '#kernel';
import { campaignEvents, postEvents, type CampaignEvent, type PostEvent } from '#publishing';
import * as studio from '#studio';
import { deliveryEvents, endpointEvents, type DeliveryEvent, type EndpointEvent } from '#webhooks';
import * as workspace from '#workspace';

/** Everything that can be in the log. */
export type DomainEvent =
  | PostEvent
  | CampaignEvent
  | AccountEvent
  | workspace.WorkspaceEvent
  | workspace.ApiKeyEvent
  | workspace.TeamEvent
  | workspace.SubscriptionEvent
  | studio.MediaEvent
  | studio.OperationEvent
  | studio.DesignEvent
  | studio.AssetEvent
  | studio.GalleryEvent
  | studio.ContentEvent
  | studio.RegionEvent
  | EndpointEvent
  | DeliveryEvent;

/** How each event type is stored. */
export const eventSchemas: EventSchemas<DomainEvent> = {
  ...postEvents,
  ...campaignEvents,
  ...accountEvents,
  ...workspace.workspaceEvents,
  ...workspace.apiKeyEvents,
  ...workspace.teamEvents,
  ...workspace.subscriptionEvents,
  ...studio.mediaEvents,
  ...studio.operationEvents,
  ...studio.designEvents,
  ...studio.assetEvents,
  ...studio.galleryEvents,
  ...studio.contentEvents,
  ...studio.regionEvents,
  ...endpointEvents,
  ...deliveryEvents,
};

/** Brings an event of any released version to the present one. An unknown type throws: a forgotten event is a defect. */
export function upcast(event: RecordedEvent): RecordedEvent {
  const schema = Object.hasOwn(eventSchemas, event.type)
    ? (eventSchemas[event.type as DomainEvent['type']] as EventSchema)
    : undefined;
  if (!schema) throw new Error(`Unknown event type ${event.type} at position ${event.position}`);
  return upcastBy(schema, event);
}
