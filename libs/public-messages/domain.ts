import { accountAggregate, accountEvents, type AccountEvent } from '#accounts';
import { upcastBy, type RecordedEvent } from '#event-store';
import type { Aggregate, EventSchema, EventSchemas } from '#kernel';
import {
  campaignAggregate,
  campaignEvents,
  postAggregate,
  postEvents,
  type CampaignEvent,
  type PostEvent,
} from '#publishing';
import * as studio from '#studio';
import {
  deliveryAggregate,
  deliveryEvents,
  endpointAggregate,
  endpointEvents,
  type DeliveryEvent,
  type EndpointEvent,
} from '#webhooks';
import * as workspace from '#workspace';

/**
 * Every aggregate of every context. The list forgets their command and state types, which no list could keep: it is for tests,
 * which ask whether anything was left out.
 */
export const aggregates = [
  postAggregate,
  campaignAggregate,
  accountAggregate,
  workspace.workspaceAggregate,
  workspace.apiKeyAggregate,
  workspace.teamAggregate,
  workspace.subscriptionAggregate,
  workspace.subjectAggregate,
  studio.mediaAggregate,
  studio.operationAggregate,
  studio.designAggregate,
  studio.assetAggregate,
  studio.galleryAggregate,
  studio.contentAggregate,
  studio.regionAggregate,
  endpointAggregate,
  deliveryAggregate,
] as readonly unknown[] as readonly Aggregate[];

/** Everything that can be in the log. */
export type DomainEvent =
  | PostEvent
  | CampaignEvent
  | AccountEvent
  | workspace.WorkspaceEvent
  | workspace.ApiKeyEvent
  | workspace.TeamEvent
  | workspace.SubscriptionEvent
  | workspace.SubjectEvent
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
  ...workspace.subjectEvents,
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
