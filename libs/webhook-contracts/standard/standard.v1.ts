import { shape } from '#public-messages';
import type { Contract } from '../contract';
import { core } from '../core/core.v1';
import { allCoreTypes, asCore, coreData, everyCoreType, inEnvelope, moment, named } from '../envelope';

/** The payload that Standard Webhooks recommends: the id is in the header alone. Its golden files are in test/contracts/standard.v1. */
export const standard: Contract = {
  name: 'standard',
  version: 1,
  types: allCoreTypes,
  signature: 'standard-webhooks',
  retryDelaysSeconds: core.retryDelaysSeconds,
  jitter: core.jitter,
  timeoutSeconds: core.timeoutSeconds,
  parkedRetentionDays: core.parkedRetentionDays,
  idPerDelivery: false,
  contentType: 'application/json',
  render: inEnvelope(
    everyCoreType,
    ({ type, createdAt, dataJson }) => `{"type":"${type}","timestamp":"${createdAt}","data":${dataJson}}`,
  ),
  headers: () => ({}),
  ...asCore(everyCoreType, (type) => shape({ type: named(type), timestamp: moment(), data: coreData(type) })),
};
