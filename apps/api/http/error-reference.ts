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
import { apiKeyErrors, subscriptionErrors, teamErrors, workspaceErrors } from '#workspace';
import { webhookErrors } from '../webhooks/webhooks.errors';
import { edgeErrors, STATUS_OF } from './problem';

/** What any command may meet; the command handler raises it (If-Match). */
const commandErrors = { REVISION_STALE: ['stale', 'The thing has changed since you read it.'] } as const;

/** Every catalogue of the domain, by the noun it is about. */
const catalogues: Readonly<Record<string, ErrorCatalogue>> = {
  'Any command': commandErrors,
  Posts: postErrors,
  Campaigns: campaignErrors,
  Accounts: accountErrors,
  Workspaces: workspaceErrors,
  'API keys': apiKeyErrors,
  Team: teamErrors,
  Subscription: subscriptionErrors,
  Media: mediaErrors,
  Operations: operationErrors,
  Designs: designErrors,
  Assets: assetErrors,
  Galleries: galleryErrors,
  Content: contentErrors,
  Regions: regionErrors,
  'Webhook endpoints': endpointErrors,
  Webhooks: webhookErrors,
};

const table = (rows: readonly (readonly [code: string, status: number, title: string])[]): string =>
  [
    '| code | status | means |',
    '|---|---|---|',
    ...rows.map(([code, status, title]) => `| \`${code}\` | ${status} | ${title} |`),
  ].join('\n');

const rowsOf = (catalogue: ErrorCatalogue) =>
  Object.entries(catalogue).map(([code, [kind, title]]) => [code, STATUS_OF[kind], title] as const);

/** docs/reference/errors.md: every `code` that an answer of the API can carry. */
export const errorReference = (): string =>
  [
    '# Errors',
    'Generated from the code (`npm run docs`). An error is `application/problem+json` (RFC 9457); its `code` is stable, its `detail` is for people.',
    '## Any request',
    table(Object.entries(edgeErrors).map(([code, [status, title]]) => [code, status, title])),
    ...Object.entries(catalogues).flatMap(([noun, catalogue]) => [`## ${noun}`, table(rowsOf(catalogue))]),
  ].join('\n\n') + '\n';
