import type { Workspaces } from '#postgres';
import { AuditQuery } from './audit/audit.query';
import { KeyedQuery } from './keyed/keyed-query';
import type { KeyedView } from './keyed/keyed-view';
import { accountsView } from './accounts/accounts.view';
import { assetsView } from './assets/assets.view';
import { campaignsView } from './campaigns/campaigns.view';
import { contentView } from './content/content.view';
import { designsView } from './designs/designs.view';
import { galleriesView } from './galleries/galleries.view';
import { mediaView } from './media/media.view';
import { operationsView } from './operations/operations.view';
import { postsView } from './posts/posts.view';
import { regionsView } from './regions/regions.view';
import { paymentsView } from './subscription/payments.view';
import { subscriptionView } from './subscription/subscription.view';
import { invitationsView } from './team/invitations.view';
import { membersView } from './team/members.view';
import { webhookEndpointsView } from './webhook-endpoints/webhook-endpoints.view';

/** Every view with a row per thing; the projector builds them all. */
export const keyedViews: readonly KeyedView[] = [
  accountsView,
  assetsView,
  campaignsView,
  contentView,
  designsView,
  galleriesView,
  mediaView,
  operationsView,
  postsView,
  regionsView,
  paymentsView,
  subscriptionView,
  invitationsView,
  membersView,
  webhookEndpointsView,
] as readonly unknown[] as readonly KeyedView[];

/** All that can be asked of the read side, but deliveries. */
export const readModels = (db: Workspaces) => ({
  accounts: new KeyedQuery(db, accountsView),
  assets: new KeyedQuery(db, assetsView),
  campaigns: new KeyedQuery(db, campaignsView),
  content: new KeyedQuery(db, contentView),
  designs: new KeyedQuery(db, designsView),
  galleries: new KeyedQuery(db, galleriesView),
  media: new KeyedQuery(db, mediaView),
  operations: new KeyedQuery(db, operationsView),
  posts: new KeyedQuery(db, postsView),
  regions: new KeyedQuery(db, regionsView),
  payments: new KeyedQuery(db, paymentsView),
  subscription: new KeyedQuery(db, subscriptionView),
  invitations: new KeyedQuery(db, invitationsView),
  members: new KeyedQuery(db, membersView),
  webhookEndpoints: new KeyedQuery(db, webhookEndpointsView),
  audit: new AuditQuery(db),
});

export type ReadModels = ReturnType<typeof readModels>;
