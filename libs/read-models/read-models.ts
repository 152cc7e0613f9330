import type { Database } from '#postgres';
import { accountsView } from './accounts/accounts.view';
import { AuditQuery } from './audit/audit.query';
import { KeyedQuery } from './keyed/keyed-query';
import type { KeyedView } from './keyed/keyed-view';
import { postsView } from './posts/posts.view';
import { webhookEndpointsView } from './webhook-endpoints/webhook-endpoints.view';

/** Every view with a row per thing. */
const views = { posts: postsView, accounts: accountsView, webhookEndpoints: webhookEndpointsView };

export const keyedViews: readonly KeyedView[] = Object.values(views) as readonly unknown[] as readonly KeyedView[];

/** All that can be asked of the read side, but deliveries. */
export const readModels = (db: Database) => ({
  posts: new KeyedQuery(db, views.posts),
  accounts: new KeyedQuery(db, views.accounts),
  webhookEndpoints: new KeyedQuery(db, views.webhookEndpoints),
  audit: new AuditQuery(db),
});

export type ReadModels = ReturnType<typeof readModels>;
