import { Type } from '@sinclair/typebox';
import { shape, type CoreMessage, type CoreType } from '#public-messages';
import { HOUR, MINUTE, type Contract } from '../contract';
import { allCoreTypes, asCore, coreData, eventId, inEnvelope, moment, named } from '../envelope';

/** Studio and map webhooks: these families of core types, under their core names. */
const families = [
  'image.',
  'video.',
  'batch.',
  'campaign.',
  'design.',
  'brand.',
  'asset.',
  'location_content.',
  'location.',
  'gallery.',
  'content.',
  'region.',
  'operation.',
  'media.',
];
const types: readonly CoreType[] = allCoreTypes.filter(
  (type) => type === 'webhook.test' || families.some((family) => type.startsWith(family)),
);
const spoken: ReadonlySet<string> = new Set(types);

/** Posternity: the common envelope with metadata. Its golden files are in test/contracts/posternity.v1. */
export const posternity: Contract = {
  name: 'posternity',
  version: 1,
  types,
  signature: 'standard-webhooks',
  retryDelaysSeconds: [0, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR],
  jitter: 0.1,
  timeoutSeconds: 30,
  parkedRetentionDays: 7,
  idPerDelivery: false,
  contentType: 'application/json',
  render: inEnvelope(
    spoken,
    (message) =>
      `{"id":"${message.id}","type":"${message.type}","createdAt":"${message.createdAt}",` +
      `"metadata":${JSON.stringify(metadataOf(message))},"data":${message.dataJson}}`,
  ),
  headers: () => ({}),
  ...asCore(spoken, (type) =>
    shape({
      id: eventId(),
      type: named(type),
      createdAt: moment(),
      metadata: shape({
        workspaceId: Type.String(),
        correlationId: Type.String(),
        region: Type.Optional(Type.String()),
      }),
      data: coreData(type),
    }),
  ),
};

/** Facts of the event alone, never of an attempt: the bytes are the same on every retry. */
const metadataOf = ({ workspace, correlationId, region }: CoreMessage) => ({
  workspaceId: workspace,
  correlationId,
  ...(region !== undefined && { region }),
});
