export { revisionAfter, takeIn, type KeyedView } from './keyed/keyed-view';
export { KeyedTable } from './keyed/keyed-table';
export type { Difference } from './keyed/first-difference';
export { KeyedQuery, type Found, type FoundById } from './keyed/keyed-query';
export { cursorAt, type Page, type PageOptions } from './keyed/cursor';
export { keyedViews, readModels, type ReadModels } from './read-models';
export { ViewProgress } from './progress';
export type { AuditEntry } from './audit/audit-entry';
export { AuditTable } from './audit/audit-table';
export type { AuditFilters } from './audit/audit-filters';
export { AuditQuery } from './audit/audit.query';
export { presentAccount, type AccountView } from './accounts/accounts.view';
export { presentAsset, type AssetView } from './assets/assets.view';
export { presentCampaign, type CampaignView } from './campaigns/campaigns.view';
export { presentContent, type ContentView } from './content/content.view';
export { presentDesign, type DesignView } from './designs/designs.view';
export { presentGallery, type GalleryView } from './galleries/galleries.view';
export { presentMedia, type MediaView } from './media/media.view';
export { presentOperation, type OperationView } from './operations/operations.view';
export { postsView, presentPost, presentPostResults, type PostResultsView, type PostView } from './posts/posts.view';
export { presentRegion, type RegionView } from './regions/regions.view';
export type { PaymentView } from './subscription/payments.view';
export { presentSubscription, subscriptionView, type SubscriptionView } from './subscription/subscription.view';
export { invitationOf, type InvitationView } from './team/invitations.view';
export { memberOf, type MemberView } from './team/members.view';
export { presentEndpoint, type EndpointView } from './webhook-endpoints/webhook-endpoints.view';
export { exportAudit } from './audit/audit-export';
export { verifyAudit, type Verdict } from './audit/audit-verify';
export { SubjectsQuery, type SentView } from './subjects/subjects.query';
export { entityAt, type EntityAt } from './time-travel/entity-at';
export { DeliveriesQuery, type FeedItem } from './deliveries/deliveries.query';
export {
  DELIVERY_STATUSES,
  type DeliveryDetail,
  type DeliveryStatus,
  type DeliveryView,
} from './deliveries/delivery-row';
