import { shape } from '#public-messages';
import { HOUR, MINUTE, type Contract } from '../contract';
import { allCoreTypes, asCore, coreData, eventId, everyCoreType, inEnvelope, moment, named } from '../envelope';

/** The default: the common envelope, every type. Its golden files are in test/contracts/core.v1. */
export const core: Contract = {
  name: 'core',
  version: 1,
  types: allCoreTypes,
  signature: 'standard-webhooks',
  retryDelaysSeconds: [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR],
  jitter: 0.1,
  timeoutSeconds: 15,
  parkedRetentionDays: 30,
  idPerDelivery: false,
  contentType: 'application/json',
  // Ids, types and times hold nothing that JSON escapes, so the text of the data goes in as it is.
  render: inEnvelope(
    everyCoreType,
    ({ id, type, createdAt, dataJson }) =>
      `{"id":"${id}","type":"${type}","createdAt":"${createdAt}","data":${dataJson}}`,
  ),
  headers: () => ({}),
  ...asCore(everyCoreType, (type) =>
    shape({ id: eventId(), type: named(type), createdAt: moment(), data: coreData(type) }),
  ),
};
