import { answer, flag, list, nullable, object, oneOf, pageOf, text, time, whole, type Schema } from '../openapi/schema';

const endpoint: Readonly<Record<string, Schema>> = {
  id: text,
  targetUrl: text,
  eventTypes: list(text),
  contract: text,
  description: nullable(text),
  ordered: flag,
  rateLimitPerSecond: nullable({ type: 'number' }),
  latestOnly: flag,
  status: oneOf('enabled', 'disabled'),
  'disabledReason?': oneOf('manual', 'gone', 'failing'),
  createdAt: time,
};

export const endpointAnswer = answer('WebhookEndpoint', 'The endpoint, without its secret', object(endpoint));
export const endpointPage = pageOf(endpointAnswer);
export const newEndpointAnswer = answer(
  'NewWebhookEndpoint',
  'The endpoint, with its secret, shown this once',
  object({ ...endpoint, signingSecret: text }),
);
export const secretAnswer = answer('SigningSecret', 'The new secret, shown this once', object({ signingSecret: text }));
export const testAnswer = answer(
  'WebhookTest',
  'What the target answered',
  object({ delivered: flag, 'statusCode?': whole, 'error?': text, durationMs: whole, 'response?': text }),
);
export const jobReference = answer('JobReference', 'The job that does it', object({ jobId: text }));
