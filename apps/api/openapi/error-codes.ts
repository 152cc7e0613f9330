import { accountErrors } from '#accounts';
import type { ErrorCatalogue } from '#kernel';
import { campaignErrors, postErrors } from '#publishing';
import { designErrors, mediaErrors, operationErrors } from '#studio';
import { endpointErrors } from '#webhooks';
import { apiKeyErrors, subscriptionErrors, teamErrors, workspaceErrors } from '#workspace';
import { auditErrors } from '../audit/audit.controller';
import { edgeErrors, STATUS_OF } from '../http/problem';
import { studioErrors } from '../studio/studio.errors';
import { paymentErrors } from '../subscription/subscription.controller';
import { webhookErrors } from '../webhooks/webhooks.errors';

/** What a refusal looks like from outside. */
export interface ErrorCode {
  readonly status: number;
  readonly title: string;
}

const catalogues: readonly ErrorCatalogue[] = [
  accountErrors,
  apiKeyErrors,
  auditErrors,
  campaignErrors,
  designErrors,
  endpointErrors,
  mediaErrors,
  operationErrors,
  paymentErrors,
  postErrors,
  studioErrors,
  subscriptionErrors,
  teamErrors,
  webhookErrors,
  workspaceErrors,
  { REVISION_STALE: ['stale', 'The thing has changed since you read it.'] },
];

/** Every code the api can answer with. */
export const errorCodes: ReadonlyMap<string, ErrorCode> = new Map([
  ...catalogues.flatMap((catalogue) =>
    Object.entries(catalogue).map(([code, [kind, title]]) => [code, { status: STATUS_OF[kind], title }] as const),
  ),
  ...Object.entries(edgeErrors).map(([code, [status, title]]) => [code, { status, title }] as const),
]);
