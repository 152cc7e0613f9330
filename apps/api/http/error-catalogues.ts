import { accountErrors } from '#accounts';
import type { ErrorCatalogue } from '#kernel';
import { campaignErrors, postErrors } from '#publishing';
import {
  assetErrors,
  contentErrors,
  designErrors,
  galleryErrors,
  mediaErrors,
  operationErrors,
  regionErrors,
} from '#studio';
import { endpointErrors } from '#webhooks';
import { apiKeyErrors, subjectErrors, subscriptionErrors, teamErrors, workspaceErrors } from '#workspace';
import { auditErrors } from '../audit/audit.errors';
import { paymentErrors } from '../subscription/payment.errors';
import { webhookErrors } from '../webhooks/webhooks.errors';

/** What any command may meet; the command handler raises it (If-Match). */
const commandErrors = { REVISION_STALE: ['stale', 'The thing has changed since you read it.'] } as const;

/** Every catalogue of the domain, by the noun it is about. */
export const catalogues: Readonly<Record<string, ErrorCatalogue>> = {
  'Any command': commandErrors,
  Posts: postErrors,
  Campaigns: campaignErrors,
  Accounts: accountErrors,
  Workspaces: workspaceErrors,
  'API keys': apiKeyErrors,
  Team: teamErrors,
  Subscription: { ...subscriptionErrors, ...paymentErrors },
  Media: mediaErrors,
  Operations: operationErrors,
  Designs: designErrors,
  Assets: assetErrors,
  Galleries: galleryErrors,
  Content: contentErrors,
  Regions: regionErrors,
  'Webhook endpoints': endpointErrors,
  Webhooks: webhookErrors,
  'Audit log': auditErrors,
  'Personal data': subjectErrors,
};
