export { viewOf, type Column, type Filter, type KeyedView } from './keyed/keyed-view';
export { KeyedTable } from './keyed/keyed-table';
export type { Difference } from './keyed/first-difference';
export { KeyedQuery, type Found } from './keyed/keyed-query';
export { cursorAt, positionOf, pageOf, type Page, type PageOptions } from './keyed/cursor';
export { keyedViews, readModels, type ReadModels } from './read-models';
export { ViewProgress } from './progress';
export { hashOf, type AuditEntry } from './audit/audit-entry';
export { AuditTable } from './audit/audit-table';
export { AuditQuery, entryOf, type AuditFilters, type AuditRow } from './audit/audit.query';
export * from './accounts/accounts.view';
export * from './assets/assets.view';
export * from './campaigns/campaigns.view';
export * from './content/content.view';
export * from './designs/designs.view';
export * from './galleries/galleries.view';
export * from './media/media.view';
export * from './operations/operations.view';
export * from './posts/posts.view';
export * from './regions/regions.view';
export * from './subscription/payments.view';
export * from './subscription/subscription.view';
export * from './team/invitations.view';
export * from './team/members.view';
export * from './webhook-endpoints/webhook-endpoints.view';
export { canonicalJson } from './audit/canonical-json';
export { exportAudit, type ExportFormat } from './audit/audit-export';
export { verifyAudit, type BreakReason, type Verdict, type VerifyOptions } from './audit/audit-verify';
export { SubjectsQuery, type SentView } from './subjects/subjects.query';
export { entityAt, type EntityAt } from './time-travel/entity-at';
export { DeliveriesQuery, type DeliveryFilters, type FeedItem, type ReplayJob } from './deliveries/deliveries.query';
export {
  DELIVERY_STATUSES,
  type AttemptView,
  type DeliveryDetail,
  type DeliveryStatus,
  type DeliveryView,
} from './deliveries/delivery-row';
