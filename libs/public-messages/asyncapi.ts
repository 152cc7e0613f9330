import { TOPICS } from './core-message';
import type { CoreTypeDefinition } from './core-type';
import { coreTypes, internalTypes } from './core-types';

type Json = Record<string, unknown>;
type Topic = keyof typeof TOPICS;

const about: Readonly<Record<Topic, string>> = {
  posts: 'Posts and their destinations; keyed by post.',
  campaigns: 'Campaigns; keyed by campaign.',
  accounts: 'Social accounts and their credentials; keyed by account.',
  workspaces: 'Team, subscription and payments; keyed by workspace.',
  studio: 'Operations, media, designs, assets, galleries, content and regions; keyed by the thing.',
  webhooks: 'Webhook endpoints and deliveries; keyed by endpoint or delivery.',
  publishing: 'What is due to be published now: for publishers; keyed by post.',
};

const all: readonly [string, CoreTypeDefinition][] = Object.entries<CoreTypeDefinition>({
  ...coreTypes,
  ...internalTypes,
}).filter(([, { isSample }]) => !isSample);

/** The AsyncAPI 3 document of the bus: topics, keys, headers, payloads. Plain JSON, made from the same source as the types. */
export function asyncApi(): Json {
  const document: Json = {
    asyncapi: '3.0.0',
    info: {
      title: 'Postledger on the bus',
      version: '1.0.0',
      description:
        'Every message is a CloudEvent 1.0 in the binary mode of the Kafka binding: attributes are headers, the value is ' +
        'the data. At least once, in log order per key; de-duplicate by `ce_id`, which is also the id of the core webhook.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries((Object.keys(TOPICS) as Topic[]).map((topic) => [topic, channel(topic)])),
    operations: Object.fromEntries(
      (Object.keys(TOPICS) as Topic[]).map((topic) => [`send_${topic}`, operation(topic)]),
    ),
    components: {
      messages: Object.fromEntries(all.map(([type, definition]) => [type, message(type, definition)])),
      messageTraits: { cloudEvent: { headers: cloudEventHeaders } },
    },
  };
  // TypeBox keeps its own marks under symbols, which JSON leaves behind.
  return JSON.parse(JSON.stringify(document)) as Json;
}

/** docs/reference/asyncapi.json. */
export const asyncApiText = (): string => `${JSON.stringify(asyncApi(), null, 2)}\n`;

const typesOn = (topic: Topic): string[] =>
  all.filter(([, definition]) => definition.topic === topic).map(([type]) => type);

const channel = (topic: Topic): Json => ({
  address: TOPICS[topic],
  title: TOPICS[topic],
  description: about[topic],
  messages: Object.fromEntries(typesOn(topic).map((type) => [type, { $ref: `#/components/messages/${type}` }])),
  bindings: { kafka: { topic: TOPICS[topic], partitions: 12, bindingVersion: '0.5.0' } },
});

const operation = (topic: Topic): Json => ({
  action: 'send',
  channel: { $ref: `#/channels/${topic}` },
  summary: about[topic],
  messages: typesOn(topic).map((type) => ({ $ref: `#/channels/${topic}/messages/${type}` })),
});

const message = (type: string, { description, data, example, exampleKey }: CoreTypeDefinition): Json => ({
  name: type,
  title: type,
  summary: description,
  contentType: 'application/json',
  traits: [{ $ref: '#/components/messageTraits/cloudEvent' }],
  payload: data,
  correlationId: { location: '$message.header#/postledger-correlation' },
  bindings: {
    kafka: {
      key: { type: 'string', description: 'Id of the entity', examples: [exampleKey] },
      bindingVersion: '0.5.0',
    },
  },
  examples: [{ name: type, payload: example }],
});

const text = (description: string, more: Json = {}): Json => ({ type: 'string', description, ...more });

const cloudEventHeaders: Json = {
  type: 'object',
  required: [
    'ce_specversion',
    'ce_id',
    'ce_type',
    'ce_source',
    'ce_time',
    'ce_subject',
    'content-type',
    'postledger-position',
    'postledger-actor',
    'postledger-correlation',
  ],
  properties: {
    ce_specversion: { const: '1.0' },
    ce_id: text('De-duplicate by it; the id of the core webhook.', { pattern: '^evt_' }),
    ce_type: text('The type of the message.'),
    ce_source: text('`urn:postledger:workspace:<id>`.', { pattern: '^urn:postledger:workspace:.+$' }),
    ce_time: text('When it happened.', { format: 'date-time' }),
    ce_subject: text('Id of the entity; the same as the key.'),
    'content-type': { const: 'application/json' },
    traceparent: text('W3C trace context of the command.'),
    'postledger-position': text('`<position in the log>.<index among the messages of the event>`.', {
      pattern: '^[0-9]+\\.[0-9]+$',
    }),
    'postledger-actor': text('Who did it: a person, a key, or `system`.'),
    'postledger-correlation': text('Correlation id of the command.'),
    'postledger-region': text('The region, where there is one.'),
    'postledger-facts': text('JSON for contracts that tell destinations apart.'),
    'postledger-sealed': text(
      'For Postledger itself: the personal values as they are stored. JSON, by pointer into the data.',
    ),
    'postledger-internal': text('`true` on what is never a webhook.'),
    'postledger-endpoint': text('The webhook endpoint that the message is about.'),
  },
};
