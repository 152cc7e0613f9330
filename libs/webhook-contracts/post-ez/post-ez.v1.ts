import { Type, type TSchema } from '@sinclair/typebox';
import { coreTypes, shape, type CoreMessage, type CoreType } from '#public-messages';
import { HOUR, MINUTE, type Contract, type Rendered, type RenderOptions } from '../contract';
import { coreData, eventId, moment, named } from '../envelope';
import { snakeKeys, snakeSchema } from '../snake-case';

/** The contract's name of each core type it has words for. */
const names = new Map<string, string>([
  ['post.published', 'post.published'],
  ['post.partial', 'post.published'],
  ['post.failed', 'post.failed'],
  ['post.scheduled', 'schedule.created'],
  ['account.credential_expiring', 'credential.expiring'],
  ['webhook.test', 'webhook.test'],
]);

const described: Readonly<Record<string, { readonly description: string; readonly from: readonly CoreType[] }>> = {
  'post.published': {
    description: 'A post succeeded on at least one platform; `platform_results` tells them apart when some failed.',
    from: ['post.published', 'post.partial'],
  },
  'post.failed': { description: 'A post failed on every platform, after every retry.', from: ['post.failed'] },
  'schedule.created': { description: 'A post was added to the queue.', from: ['post.scheduled'] },
  'credential.expiring': {
    description: 'A credential expires in 72 hours or less.',
    from: ['account.credential_expiring'],
  },
  'webhook.test': { description: coreTypes['webhook.test'].description, from: ['webhook.test'] },
};

/** Post-EZ outbound webhooks: snake_case, an id per delivery. Its golden files are in test/contracts/post-ez.v1. */
export const postEz: Contract = {
  name: 'post-ez',
  version: 1,
  types: Object.keys(described),
  signature: 'post-ez',
  retryDelaysSeconds: [30, 2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR],
  jitter: 0.1,
  timeoutSeconds: 10,
  parkedRetentionDays: null,
  idPerDelivery: true,
  contentType: 'application/json',
  render,
  headers: ({ type }) => ({ 'x-postez-event': type }),
  schemaOf: (type) => (Object.hasOwn(described, type) ? schemaOf(type) : undefined),
  describe: (type) => (Object.hasOwn(described, type) ? described[type]!.description : undefined),
};

function render(message: CoreMessage, { deliveryId }: RenderOptions = {}): readonly Rendered[] {
  const type = names.get(message.type);
  if (type === undefined) return [];
  const id = deliveryId === undefined ? message.id : eventIdOfDelivery(deliveryId);
  return [{ id, type, body: `{"id":"${id}","type":"${type}",${tailOf(message)}`, coreId: message.id, index: 0 }];
}

/** `dlv_<uuid>` → `evt_<uuid>`: as unique as the delivery, and found again from either. */
const eventIdOfDelivery = (deliveryId: string): string => `evt_${deliveryId.slice(deliveryId.indexOf('_') + 1)}`;

/** All of a body but its id and type: the same for every delivery of a message, so it is made once. */
const tails = new WeakMap<CoreMessage, string>();
function tailOf(message: CoreMessage): string {
  let tail = tails.get(message);
  if (tail === undefined) {
    const data = JSON.stringify(snakeKeys(JSON.parse(message.dataJson)));
    tail = `"occurred_at":"${message.createdAt}","data":${data}}`;
    tails.set(message, tail);
  }
  return tail;
}

function schemaOf(type: string): TSchema {
  const data = described[type]!.from.map((core) => snakeSchema(coreData(core)));
  return shape({
    id: eventId(),
    type: named(type),
    occurred_at: moment(),
    data: data.length === 1 ? data[0]! : Type.Union(data),
  });
}
