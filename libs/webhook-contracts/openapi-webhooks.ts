import { catalogue, type CatalogueEntry } from './catalogue';
import type { Contract } from './contract';
import { contracts } from './registry';

type Json = Record<string, unknown>;

/** The `webhooks` object of an OpenAPI 3.1 document: one entry `<contract>.<type>` for each type of each contract. Plain JSON. */
export function openApiWebhooks(): Record<string, Json> {
  const entries = [...contracts.values()].flatMap((contract) =>
    catalogue(contract).map((entry) => [`${contract.name}.${entry.type}`, { post: operation(contract, entry) }]),
  );
  // TypeBox keeps its own marks under symbols, which JSON leaves behind.
  return JSON.parse(JSON.stringify(Object.fromEntries(entries))) as Record<string, Json>;
}

const operation = (contract: Contract, { type, description, schema, example }: CatalogueEntry): Json => ({
  operationId: `webhook_${contract.name}_${type}`.replaceAll(/[^A-Za-z0-9]+/g, '_'),
  tags: [`webhooks: ${contract.name}`],
  summary: `${type} (${contract.name} v${contract.version})`,
  description,
  parameters: [...signatureHeaders(contract), ...commonHeaders],
  requestBody: { required: true, content: { [contract.contentType]: { schema, example } } },
  responses: {
    '2XX': { description: 'Received.' },
    '410': { description: 'Send nothing more: the endpoint is disabled and what waits for it is discarded.' },
    default: { description: 'Not received, redirects included: retried by the ladder of the contract, then parked.' },
  },
});

const header = (name: string, description: string, schema: Json = { type: 'string' }, required = true): Json => ({
  name,
  in: 'header',
  required,
  description,
  schema,
});

const commonHeaders = [
  header(
    'webhook-sequence',
    'Per endpoint, from 1, without gaps; a test has none.',
    { type: 'integer', minimum: 1 },
    false,
  ),
  header('webhook-replay', '`true` when sent again on request.', { const: 'true' }, false),
];

const signatureHeaders = ({ signature }: Contract): Json[] => {
  switch (signature) {
    case 'standard-webhooks':
      return [
        header('webhook-id', 'The same on every retry and replay.'),
        header('webhook-timestamp', 'Unix seconds of this attempt.', { type: 'string', pattern: '^[0-9]+$' }),
        header('webhook-signature', '`v1,<base64>`, several separated by a space during a rotation.'),
      ];
    case 'post-ez':
      return [
        header('x-postez-signature', '`t=<unix>,v1=<hex>`, several `v1=` during a rotation.'),
        header('x-postez-event', 'The type of the body.'),
      ];
  }
};
