import { Type } from '@sinclair/typebox';
import { shape } from '#public-messages';
import type { Contract } from '../contract';
import { core } from '../core/core.v1';
import { allCoreTypes, asCore, coreData, eventId, everyCoreType, inEnvelope, moment, named } from '../envelope';

/** CloudEvents 1.0 over HTTP in structured mode. Its golden files are in test/contracts/cloudevents.v1. */
export const cloudevents: Contract = {
  name: 'cloudevents',
  version: 1,
  types: allCoreTypes,
  signature: 'standard-webhooks',
  retryDelaysSeconds: core.retryDelaysSeconds,
  jitter: core.jitter,
  timeoutSeconds: core.timeoutSeconds,
  parkedRetentionDays: core.parkedRetentionDays,
  idPerDelivery: false,
  contentType: 'application/cloudevents+json',
  // The subject is an id that a client or a path may have chosen: it alone needs escaping.
  render: inEnvelope(
    everyCoreType,
    ({ id, type, workspace, key, createdAt, dataJson }) =>
      `{"specversion":"1.0","id":"${id}","source":"urn:postledger:workspace:${workspace}","type":"${type}",` +
      `"subject":${JSON.stringify(key)},"time":"${createdAt}","datacontenttype":"application/json","data":${dataJson}}`,
  ),
  headers: () => ({}),
  ...asCore(everyCoreType, (type) =>
    shape({
      specversion: Type.Literal('1.0'),
      id: eventId(),
      source: Type.String({ pattern: '^urn:postledger:workspace:.+$' }),
      type: named(type),
      subject: Type.String({ description: 'Id of the entity', minLength: 1 }),
      time: moment(),
      datacontenttype: Type.Literal('application/json'),
      data: coreData(type),
    }),
  ),
};
